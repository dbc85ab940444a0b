// A vhost-user port on librte_vhost: `type: vhost`, `datapath: library`. The gate has the socket, the library
// the rings; the workers call the library's bursts through a published SessionView.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "vdev/gate/guest_port.hpp"
#include "vdev/gate/patrol.hpp"
#include "vdev/vhost/library_link.hpp"
#include "vdev/vhost/session_view.hpp"
#include "vdev/vhost/stuck_detector.hpp"

struct rte_mbuf;

namespace testbed::vhost {

class VhostPort final : public gate::GuestPort, private DeviceListener {
 public:
  static Result<std::unique_ptr<Port>> open(const std::string& name, gate::EndpointConfig config,
                                            PortEnvironment& environment, gate::DirectoryWatch& watch,
                                            gate::Doorbell& doorbell);
  ~VhostPort() override;

  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override;
  void release(WorkerContext& worker, uint16_t queue, Packet* packets, uint16_t count) override;
  uint16_t lanes() const override;
  TxOutcome transmit(WorkerContext& worker, uint16_t lane, Packet* const* packets, uint16_t count) override;
  int arm(uint16_t queue) override;
  void disarm(uint16_t queue) override;

 private:
  VhostPort(std::string name, uint16_t queue_pairs, PortEnvironment& environment, gate::Doorbell& doorbell,
            gate::PortMemory memory);

  // -- gate::GuestPort, control thread
  Result<std::unique_ptr<gate::Backend>> open_backend(gate::Session& session) override;
  void message_accepted(wire::Request request) override;
  void session_over() override;
  uint64_t capability() const override;
  uint64_t protocol_capability() const override;
  void describe_queue(nlohmann::json& queue, uint16_t vring) const override;

  // -- DeviceListener
  void device_changed() override;
  void device_stopping() override;

  // -- Hot
  void discard(WorkerContext& worker, const SessionView& view, uint16_t pair);
  uint16_t dequeue(WorkerContext& worker, const SessionView& view, uint16_t pair, rte_mbuf** frames);
  uint16_t enqueue(const SessionView& view, uint16_t pair, rte_mbuf** frames, uint16_t count,
                   uint32_t octets);
  uint16_t enqueue_packed(const SessionView& view, uint16_t pair, rte_mbuf** frames, uint16_t count,
                          uint32_t octets);
  bool has_work(const SessionView& view, uint16_t pair) const;
  bool has_room(const SessionView& view, uint16_t pair) const;
  bool promises_too_much(const SessionView& view, uint16_t pair) const;
  void quiet(const SessionView& view, uint16_t pair);

  // -- Cold
  std::unique_ptr<SessionView> make_view(const Device& device);
  void report(const SessionView& now);
  void look_for_stuck_rings();
  std::optional<StuckDetector::Look> look_at(uint16_t pair) const;

  LibraryLink* link_ = nullptr;  // the session's back-end, owned by it
  uint64_t last_serial_ = 0;     // of views
  std::mutex publishing_;        // view_ is exchanged

  // control (publishing_): written; workers: read
  std::atomic<SessionView*> view_ = nullptr;
  std::atomic<bool> rarp_ = false;  // control: set; the worker of queue 0: cleared
  // By pair: the view for which the guest was told not to kick. Only the worker that polls the pair.
  std::unique_ptr<uint64_t[]> quieted_;
  // Workers that transmit to the same packed queue take turns: the undo log has one writer.
  struct alignas(64) Turn {
    std::atomic_flag taken;
  };
  std::unique_ptr<Turn[]> turns_;
  // Of a pair's receive queue; its worker: written (but for `stuck`), control: read.
  struct alignas(64) Watched {
    std::atomic<uint32_t> in_vain = 0;    // polls that yielded nothing
    std::atomic<uint64_t> discarded = 0;  // packets thrown away while the queue was disabled
    std::atomic<bool> stuck = false;      // control: written
  };
  std::unique_ptr<Watched[]> watched_;
  std::vector<StuckDetector> detectors_;
  gate::Patrol& patrol_;
};

}  // namespace testbed::vhost
