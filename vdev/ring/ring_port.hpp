// A vhost-user port whose virtqueues we walk ourselves: `type: vhost`, `datapath: ring`. The gate has the socket, a
// RingSession answers its messages, the workers walk the rings through a published SessionView.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "vdev/gate/guest_port.hpp"
#include "vdev/ring/ring_session.hpp"

namespace testbed::ring {

// By worker; shared by all ports.
class Scratches {
 public:
  explicit Scratches(uint16_t workers) : all_(workers) {
    for (auto& one : all_) one = std::make_unique<Scratch>();
  }
  Scratch& of(const WorkerContext& worker) { return *all_[worker.id]; }

 private:
  std::vector<std::unique_ptr<Scratch>> all_;
};

class RingPort final : public gate::GuestPort, public SessionUser {
 public:
  static Result<std::unique_ptr<Port>> open(const std::string& name, gate::EndpointConfig config,
                                            PortEnvironment& environment, gate::DirectoryWatch& watch,
                                            gate::Doorbell& doorbell, Scratches& scratches);
  ~RingPort() override;

  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override;
  void release(WorkerContext& worker, uint16_t queue, Packet* packets, uint16_t count) override;
  uint16_t lanes() const override;
  Takes takes() const override;
  TxOutcome transmit(WorkerContext& worker, uint16_t lane, Packet* const* packets, uint16_t count) override;
  int arm(uint16_t queue) override;
  void disarm(uint16_t queue) override;

 private:
  RingPort(std::string name, uint16_t queue_pairs, PortEnvironment& environment, gate::Doorbell& doorbell,
           Scratches& scratches, gate::PortMemory memory);

  // -- gate::GuestPort, control thread
  Result<std::unique_ptr<gate::Backend>> open_backend(gate::Session& session) override;
  void message_accepted(wire::Request) override {}
  void session_over() override;
  uint64_t capability() const override;
  uint64_t protocol_capability() const override;
  void describe_queue(nlohmann::json& queue, uint16_t vring) const override;
  void answer_bell() override;

  // -- SessionUser, control thread
  void publish(std::unique_ptr<SessionView> view) override;
  void retire() override;
  void announce(uint64_t mac) override;

  // -- Hot
  template <typename Ring>
  uint16_t receive_from(WorkerContext& worker, const SessionView& view, const Lane& lane, const Ring& ring,
                        typename Ring::Cursor& cursor, Packet* packets);
  template <typename Ring>
  void give_back(WorkerContext& worker, const SessionView& view, const Lane& lane, const Ring& ring,
                 typename Ring::Cursor& cursor);
  template <typename Ring>
  TxOutcome transmit_to(WorkerContext& worker, const SessionView& view, uint16_t pair, const Ring& ring,
                        typename Ring::Cursor& cursor, Packet* const* packets, uint16_t count);
  uint16_t receive_announcement(WorkerContext& worker, Packet* packets);
  void note(const Lane& lane, const Faults& faults);

  // -- Cold
  void exchange(std::unique_ptr<SessionView> view);
  enum class Pace : uint8_t { slow, now };  // slow: not more than one event a second of each virtqueue
  void report_faults(Pace pace);
  uint64_t report_fault(uint16_t vring, Walk& walk, Pace pace);

  Scratches& scratches_;
  std::vector<Walk> walks_;               // by virtqueue
  RingSession* session_backend_ = nullptr;  // the session's back-end, owned by it
  // control: written; workers: read. What a worker sees here stays whole until it is quiescent.
  std::atomic<const SessionView*> view_ = nullptr;
  // A guest that was migrated is announced by a frame of ours. control: written before the flag; a worker: read.
  std::atomic<uint64_t> announcement_ = 0;  // 0: none; else the address, with bit 63 set
  std::atomic<bool> fault_noted_ = false;   // worker: set, with a ring of the bell; control: cleared
  // Of each virtqueue, as last reported. Control thread.
  struct Reported {
    uint64_t faults = 0;
    uint64_t at_ns = 0;
    uint32_t stops = 0;
  };
  std::vector<Reported> reported_faults_;
  boost::asio::steady_timer later_;  // while a fault waits to be reported
};

}  // namespace testbed::ring
