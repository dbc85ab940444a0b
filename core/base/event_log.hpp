// Structured events: the only thing a history is made of. Nothing is learnt from log text.
//
// An event is {"seq": n, "t": CLOCK_MONOTONIC ns, "name": "session.up", ...fields}. The last kCapacity events
// are kept, so that a client that connects late (a runner that has just started this process) can ask for all
// since 0.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace testbed {

class EventLog {
 public:
  static constexpr size_t kCapacity = 65536;
  // Called with each event, on the thread that emitted it, after it was stored. Must not block and must not
  // emit.
  using Listener = std::function<void(const nlohmann::json& event)>;

  // Any thread. `fields` is an object; the keys seq, t and name are set here. A `t` of 0 means now.
  void emit(std::string_view name, nlohmann::json fields = nlohmann::json::object(), uint64_t t = 0);

  // Events with seq >= since, oldest first. Events are numbered from 1; what fell out of the buffer is gone.
  std::vector<nlohmann::json> since(uint64_t seq) const;
  uint64_t next_seq() const;

  // One listener per log (the RPC server). Set before other threads emit.
  void set_listener(Listener listener);

 private:
  mutable std::mutex mutex_;
  std::deque<nlohmann::json> events_;
  uint64_t next_seq_ = 1;
  Listener listener_;
};

}  // namespace testbed
