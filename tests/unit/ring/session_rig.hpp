// A session from end to end, on one thread: a front-end with a guest's memory behind it, the gate, and a
// RingSession whose port keeps what is published and walks it when the test says so.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "pipe.hpp"
#include "tests/unit/vdev/gate_rig.hpp"
#include "vdev/gate/offered.hpp"
#include "vdev/ring/ring_session.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::ring::test {

using testbed::test::value_of;
using wire::Feature;
using wire::Request;

constexpr uint64_t operator|(Feature a, Feature b) {
  return bit(a) | bit(b);
}
constexpr uint64_t operator|(Feature feature, uint64_t set) {
  return set | bit(feature);
}
constexpr uint64_t operator|(uint64_t set, Feature feature) {
  return set | bit(feature);
}

// Two queue pairs.
class RecordingPort : public gate::SessionHost, public SessionUser {
 public:
  explicit RecordingPort(gate::PortMemory& memory) : memory_(memory) {}

  Result<std::unique_ptr<gate::Backend>> open_backend(gate::Session& session) override;
  void message_accepted(Request) override {}
  void session_over() override { backend = nullptr; }
  uint64_t capability() const override { return ~uint64_t{0}; }
  uint64_t protocol_capability() const override { return kProtocol; }

  void publish(std::unique_ptr<SessionView> next) override;
  void retire() override;
  void announce(uint64_t mac) override { announced.push_back(mac); }

  // -- What a worker does.
  const Lane& lane(uint16_t vring) const;
  bool walked(uint16_t vring) const { return view && lane(vring).walked(); }
  std::vector<Octets> receive(uint16_t vring);
  // Takes a burst and is killed before it gives it back. How many frames that were.
  uint16_t receive_and_die(uint16_t vring);
  // A frame of so many octets goes in.
  bool transmit(uint16_t vring, size_t length);

  static constexpr uint64_t kProtocol = gate::kProtocolFeatures;
  std::unique_ptr<const SessionView> view;
  int published = 0, retired = 0;
  std::vector<uint64_t> announced;
  std::vector<Walk> walks{4};
  RingSession* backend = nullptr;

 private:
  gate::PortMemory& memory_;
  std::unique_ptr<Scratch> scratch_ = std::make_unique<Scratch>();
};

// A front-end of the socket p0.
class FrontendRig : public testbed::test::GateRig {
 public:
  FrontendRig();

  // Sends it and waits for the answer's u64.
  template <typename T>
  uint64_t say(Request request, const T& payload, const std::vector<int>& fds = {}) {
    frontend->send(request, payload, wire::kFlagNeedReply, fds);
    return value_of(frontend->receive(*this));
  }
  uint64_t ask(Request request) {
    frontend->send(request);
    return value_of(frontend->receive(*this));
  }
  // Another session; the one before is over.
  void connect();
  void hang_up();

  // -- The usual messages. Their answers are 0, or the test fails.
  void negotiate_protocol();  // all of it
  void negotiate(uint64_t features);
  void set_memory(const Guest& guest);
  void place(const Guest& guest, uint16_t vring, std::optional<uint32_t> base = std::nullopt);
  void place_idle(const Guest& guest, uint16_t vring);  // an empty ring in the guest's data
  void kick(uint16_t vring);
  void set_log(int fd, const wire::Log& where = {Guest::kLogOctets, 0});
  void enable(uint16_t vring, bool on = true);
  // All of them: one ring that is walked.
  void start(const Guest& guest, uint16_t vring, uint64_t features);
  // GET_VRING_BASE: the ring has stopped there.
  uint32_t stop(uint16_t vring);

  const std::string path = scratch.file("p0");
  std::optional<testbed::test::Frontend> frontend;
  Fd kick_fd, call_fd;
};

struct SessionRig : FrontendRig {
  SessionRig();

  RecordingPort port{memory};
  std::unique_ptr<gate::Endpoint> endpoint;
};

inline constexpr uint16_t kReceiveQueue = 0, kTransmitQueue = 1;  // the guest's, of the first pair
inline constexpr uint16_t kRingSize = 16;

inline uint64_t features_for(bool packed) {
  return Feature::VERSION_1 | Feature::PROTOCOL_FEATURES | (packed ? bit(Feature::RING_PACKED) : 0);
}

// A guest of one virtqueue, and its driver.
struct Peer {
  explicit Peer(bool packed, bool logged = false)
      : Peer({.size = kRingSize, .packed = packed, .first = uint16_t(packed ? 0x8000 : 0)}, logged) {}
  Peer(const driver::RingOptions& ring, bool logged) : guest({ring, 12, false, logged}) {}
  // Sends a frame of its own making.
  void send(size_t length, uint64_t serial = 1);
  // Has room for a frame.
  void offer(uint32_t octets = 1600);
  // The driver gets back so many buffers.
  uint16_t reap();

  Guest guest;
  Owner owner{guest, 1};
};

}  // namespace testbed::ring::test
