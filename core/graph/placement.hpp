// Who is to poll what: the part of the configuration that moves queues between workers and makes nothing
// anew.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace testbed {

// Whatever the policy, a port's queues go to the workers it is pinned to, and a new queue of another port to
// the worker with the fewest.
enum class AssignmentPolicy : uint8_t {
  round_robin,  // queues move when one worker has two more of them than another
  cycles,       // queues move when the cycles they were seen to take could be shared out better
  pinned,       // no queue moves that the configuration does not move
};

inline constexpr std::array<std::string_view, 3> kPolicyNames = {"round_robin", "cycles", "pinned"};

struct Placement {
  AssignmentPolicy policy = AssignmentPolicy::round_robin;
  uint64_t rebalance_ms = 1000;  // how often the policy `cycles` looks
  // By port: queue q is polled by worker [q % size].
  std::map<std::string, std::vector<uint16_t>> pinned;
  bool operator==(const Placement&) const = default;
};

}  // namespace testbed
