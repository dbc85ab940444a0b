// The faults armed on one leg. Asked for every message that passes; says what is to be done to it, does to
// the message's own bytes and descriptors what a fault wants done to them, and tells as events what fired and
// what healed.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/event_log.hpp"
#include "emu/proxy/fault_spec.hpp"
#include "emu/proxy/message.hpp"

namespace testbed::proxy {

struct Hold {
  uint64_t fault;
  uint64_t bytes;   // of the message that go through
  uint64_t for_ns;  // 0: until it is released
};

struct Delay {
  uint64_t fault;
  uint64_t ns;
};

enum class Cut : uint8_t { none, before, after };

// What is to be done when a message's turn comes to be written.
struct Treatment {
  unsigned copies = 1;  // 0: it is swallowed
  Cut cut = Cut::none;
  std::optional<Hold> hold;
  std::vector<Delay> delays;
};

class FaultSet {
 public:
  // Those that are over stay visible in the status until there are more of them than this.
  static constexpr size_t kMaxKept = 256;

  // `io` and `events` outlive this.
  FaultSet(boost::asio::io_context& io, EventLog& events, std::string leg)
      : clock_(io), events_(events), leg_(std::move(leg)) {}

  // `session` is the current (or last) one, `seen` how many messages it has had: a fault about message 3 that
  // is armed at message 5 is about the next session. Returns the fault's id. Errc::exhausted when kMaxKept
  // are armed.
  Result<uint64_t> arm(FaultSpec spec, uint64_t session, uint64_t seen);

  // A Piece::message.
  Treatment treat(const Recorded& recorded, Message& message);
  // Bytes per second that may be written of what `from` sent; 0: no limit.
  uint64_t pace(Side from);

  // A hold's time has come, and its message goes on.
  void hold_over(uint64_t fault);
  void session_over();
  // One fault, or all. Those that were armed or at work are healed; their ids come back. Errc::not_found: no
  // such fault.
  Result<std::vector<uint64_t>> heal(std::optional<uint64_t> fault);

  // [{"fault", "kind", "state": "armed|active|spent|healed", "fired", "sessions", "given"}], oldest first.
  nlohmann::json status();

 private:
  enum class State : uint8_t { armed, active, spent, healed };
  struct Fault {
    uint64_t id;
    FaultSpec spec;
    uint64_t first_session;  // a number counts from here on
    State state = State::armed;
    uint64_t fired = 0;     // messages it acted on
    uint64_t sessions = 0;  // sessions it fired in
    uint64_t session = 0;   // the last of them
    uint64_t until_ns = 0;  // lasting and for_ms: over then
    bool live() const { return state == State::armed || state == State::active; }
  };

  bool concerns(const Fault& fault, const Recorded& recorded, const Message& message) const;
  void act(Fault& fault, const Recorded& recorded, Message& message, Treatment& treatment);
  void fire(Fault& fault, const Recorded& recorded, nlohmann::json details);
  void expire();
  void watch_clock();
  void finish(Fault& fault, std::string_view by);
  Fault* find(uint64_t id);
  void forget_old();

  boost::asio::steady_timer clock_;  // when the next fault's time is over, whether or not a message passes
  EventLog& events_;
  std::string leg_;
  std::deque<Fault> faults_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uint64_t next_id_ = 1;
};

}  // namespace testbed::proxy
