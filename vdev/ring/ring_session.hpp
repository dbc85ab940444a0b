// The back-end of one session: answers its messages at once, on the control thread. What was said becomes virtqueues
// that the workers walk; the gate has judged every message before (vdev/gate/rules).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "vdev/gate/backend.hpp"
#include "vdev/gate/port_memory.hpp"
#include "vdev/gate/session.hpp"
#include "vdev/ring/session_view.hpp"

namespace testbed::ring {

// What a session asks of its port.
class SessionUser {
 public:
  virtual ~SessionUser() = default;
  // Hands `view` to the workers; returns when none uses the one before. nullptr: there is nothing to walk.
  virtual void publish(std::unique_ptr<SessionView> view) = 0;
  // The session is over: as publish(nullptr), and nothing is reported.
  virtual void retire() = 0;
  virtual void announce(uint64_t mac) = 0;  // SEND_RARP
};

class RingSession final : public gate::Backend {
 public:
  // `user`, `memory` and `walks` (one for each virtqueue) outlive this; `session` is the one it answers for.
  RingSession(const gate::Session& session, gate::PortMemory& memory, std::vector<Walk>& walks, SessionUser& user,
              uint64_t features, uint64_t protocol_features);
  // Returns when no worker uses what belongs to the session.
  ~RingSession() override;

  void submit(gate::Message request, Answer answer) override;
  void on_lost(std::function<void(const Error&)>) override {}  // it never gives up

  // A fault stopped the ring: tells the front-end, if it wants to know (SET_VRING_ERR).
  void report_error(uint16_t vring) const;
  std::vector<bool> enabled() const;
  bool packed() const;
  // Where its virtqueues stand: a worker's, while it walks them.
  std::vector<Walk>& walks() { return walks_; }

 private:
  struct Vring {
    uint16_t size = 0;
    std::optional<wire::VringAddr> address;
    uint16_t base = 0;
    bool kicked = false;  // started
    bool enabled = false;
    bool discarded = false;  // disabled after it was enabled
    std::shared_ptr<Fd> kick, call, error;
  };

  // The u64 of the answer; 0: done.
  uint64_t obey(gate::Message& request);
  uint64_t set_memory();
  uint64_t set_features(uint64_t features);
  uint64_t set_status(uint8_t status);
  uint64_t start(uint16_t index, std::shared_ptr<Fd> kick);
  uint64_t stop(uint16_t index);
  void enable(uint16_t index, bool on);
  void publish();
  bool has(wire::Feature feature) const { return (features_ & bit(feature)) != 0; }
  RingTraits traits() const;
  RingLog ring_log(const Vring& vring) const;
  Result<Lane> lane(uint16_t index);
  std::unique_ptr<SessionView> make_view();

  const gate::Session& session_;
  gate::PortMemory& memory_;
  std::vector<Walk>& walks_;
  SessionUser& user_;
  const uint64_t capability_, protocol_capability_;
  uint64_t features_ = 0;
  uint8_t status_ = 0;
  bool reset_ = false;  // by the driver, which is not ready again: no ring is walked
  uint16_t mtu_ = 0;
  std::shared_ptr<const GuestMap> map_;
  std::vector<Vring> vrings_;
  Fd backend_channel_;  // SET_BACKEND_REQ_FD: kept open, nothing is asked on it
};

}  // namespace testbed::ring
