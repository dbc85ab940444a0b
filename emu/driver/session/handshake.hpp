// Bringing a session up: from GET_FEATURES to SET_VRING_ENABLE, each message a step that the script may stop
// after.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "emu/driver/memory/dirty_log.hpp"
#include "emu/driver/session/session.hpp"

namespace testbed::driver {

// Where SET_VRING_BASE tells the backend to begin.
enum class BasePolicy : uint8_t {
  resume,  // where a correct frontend would: behind the last chain that was returned
  start,   // where an empty ring begins, whatever the ring says
  avail,   // behind everything that was ever made available
};

struct HandshakeSpec {
  uint64_t wanted = 0;  // virtio features; what is offered of them is acknowledged
  uint64_t wanted_protocol = 0;
  std::optional<uint64_t> exact, exact_protocol;  // sent whatever is offered
  bool need_reply = false;
  uint16_t mtu = 0;           // NET_SET_MTU when it is negotiated; 0: not sent
  bool memory_slots = false;  // ADD_MEM_REG instead of SET_MEM_TABLE, where negotiated
  bool polled = false;        // kick and call without descriptors
  BasePolicy base = BasePolicy::resume;
  std::map<uint16_t, uint32_t> bases;  // by vring, above the policy
  std::vector<wire::Request> vring_order;
  bool driver_ok = true;  // SET_STATUS DRIVER_OK at the end, where STATUS was negotiated
};

// The steps for one vring in the usual order.
std::vector<wire::Request> usual_vring_order();

// What the handshake wants to know about one vring, once the features are negotiated.
struct VringFacts {
  uint16_t size = 0;
  wire::VringAddr address{};
  uint32_t base = 0;
  int kick = -1, call = -1, error = -1;
  bool enable = true;
};

// The frontend behind the session.
struct HandshakeParty {
  uint16_t queues = 1;
  const GuestMemory* memory = nullptr;
  int memory_fd = -1;             // the file behind it; -1: its own
  const DirtyLog* log = nullptr;  // logging is on
  int backend_channel = -1;       // the backend's end of its own channel
  Fd* inflight = nullptr;         // area of the session before, or where to keep a new one
  wire::VhostUserInflight* inflight_area = nullptr;
  std::function<Result<void>(uint64_t features)> configure;  // rings as negotiated
  std::function<VringFacts(uint16_t vring)> vring;
};

// SET_STATUS as it is when the rings are there.
Message driver_ok();

// What GuestMemory looks like in a memory table.
std::vector<wire::MemoryRegion> wire_regions(const GuestMemory& memory);

class Handshake {
 public:
  enum class From : uint8_t {
    start,  // everything is negotiated
    rings,  // it was, on this session; the rings were stopped and come up again
  };

  // `session` outlives it.
  Handshake(Session& session, HandshakeSpec spec, HandshakeParty party, From from);

  // Until everything is done (true) or the stop was reached (false): a number of messages, or a request's
  // name, of which the first is the last. Can be called again to go on.
  Result<bool> run(std::optional<uint64_t> stop_after_messages, const std::string& stop_after_request);
  uint64_t messages() const { return done_; }

 private:
  struct Step {
    wire::Request request;
    std::function<Result<void>()> run;
  };

  void then(wire::Request request, std::function<Result<void>()> run) {
    steps_.push_back({request, std::move(run)});
  }
  void then_tell(Message message);
  void plan_features();
  void plan_protocol();
  void plan_session();
  void plan_setup();
  void plan_status(uint8_t status, bool check);
  void plan_memory();
  void plan_inflight();
  void plan_vring(uint16_t vring);
  void plan_vring_step(wire::Request request, uint16_t vring, const VringFacts& facts);
  Result<void> check_queues(uint64_t offered) const;

  Session& session_;
  const HandshakeSpec spec_;
  HandshakeParty party_;
  std::deque<Step> steps_;
  uint64_t done_ = 0;
};

}  // namespace testbed::driver
