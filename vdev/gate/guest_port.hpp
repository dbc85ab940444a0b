// A port whose peer is a guest behind a vhost-user socket: what it remembers, its endpoint, and what is reported of its
// sessions. Whoever walks the rings derives from it: vdev/vhost, vdev/ring.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/graph/port.hpp"
#include "core/graph/port_factory.hpp"
#include "vdev/gate/doorbell.hpp"
#include "vdev/gate/endpoint.hpp"

namespace testbed::gate {

class GuestPort : public Port, protected SessionHost {
 public:
  ~GuestPort() override;

  nlohmann::json describe() const override;
  nlohmann::json timeline() const override { return {{"messages", endpoint_->timeline()}}; }
  nlohmann::json refused() const override { return endpoint_->refusals().counts(); }
  uint16_t queues() const override { return queue_pairs_; }
  void disconnect() override { endpoint_->disconnect(); }

 protected:
  GuestPort(std::string name, uint16_t queue_pairs, PortEnvironment& environment, Doorbell& doorbell,
            PortMemory memory);

  // The port's memory file; volatile, with the event port.forgetful, where none can be had. Errc::busy: another process
  // has it.
  static Result<PortMemory> open_memory(const std::string& name, uint16_t queue_pairs,
                                        PortEnvironment& environment);
  // Listens or looks for the socket; from here on the overrides below are called.
  Result<void> open_endpoint(EndpointConfig config, DirectoryWatch& watch);
  // To be called by the destructor of whoever derives: sessions end while it is whole.
  void close_endpoint() { endpoint_.reset(); }

  // -- Control thread
  const Session* session() const { return endpoint_ ? endpoint_->session() : nullptr; }
  uint64_t session_id() const { return session_id_; }
  void begin_session(const Session& session);
  void session_over() override;
  // A session without its datapath, for as long as that is so.
  void datapath_down() { up_ = false; }
  // Events queue.changed and session.up, against what was reported before. `enabled` by virtqueue.
  void report_queues(const std::vector<bool>& enabled, bool packed);
  // What the ring looks like that only its walker knows. `queue` is an entry of describe().session.queues.
  virtual void describe_queue(nlohmann::json& queue, uint16_t vring) const = 0;
  // After the doorbell was rung.
  virtual void answer_bell();

  // -- Hot: any worker. Of a session's first packet, cheap for all others.
  void note_packet(uint16_t queue) {
    if (!heard_.load(std::memory_order_relaxed)) [[unlikely]]
      note_first_packet(queue);
  }

  const uint16_t queue_pairs_;
  PortEnvironment& environment_;
  Doorbell& doorbell_;
  PortMemory memory_;

 private:
  void note_first_packet(uint16_t queue);
  void report_first_packet();

  std::vector<bool> reported_;  // enabled virtqueues that were reported
  bool up_ = false;             // session.up was reported
  uint64_t session_id_ = 0;     // the present session's, or the last one's
  // The first packet of a session; worker: written once, control: read after the bell.
  std::atomic<bool> heard_ = true;
  std::atomic<uint64_t> first_packet_ns_ = 0;
  std::atomic<uint16_t> first_packet_queue_ = 0;
  std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace testbed::gate
