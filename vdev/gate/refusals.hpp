// What a port refused, counted by reason for as long as the port lives, and told: the first few of a second
// as they come, then none until the next second, whose first says how many there were. A peer that is refused
// in a loop is seen and floods nobody.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/base/event_log.hpp"
#include "vdev/gate/refusal.hpp"

namespace testbed::gate {

class Refusals {
 public:
  static constexpr uint32_t kEachSecond = 64;

  Refusals(EventLog& events, std::string port) : events_(events), port_(std::move(port)) {}

  // Emits session.refused {reason, detail, ended} with `count`: this one and those before it that were not
  // told.
  void note(uint64_t session, const Refusal& refusal, bool ended);
  uint64_t count(Reason reason) const { return counts_[static_cast<size_t>(reason)]; }
  // {reason: n} of those that happened.
  nlohmann::json counts() const;

 private:
  bool may_tell(uint64_t now);

  EventLog& events_;
  std::string port_;
  std::array<uint64_t, kReasons> counts_{};
  uint64_t second_began_ns_ = 0;
  uint32_t told_ = 0;  // in this second
  uint64_t untold_ = 0;
};

}  // namespace testbed::gate
