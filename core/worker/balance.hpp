// Sharing out queues by the cycles they take. Pure: what was measured comes in, what to move comes out.
#pragma once

#include <cstdint>
#include <vector>

#include "core/worker/assignment.hpp"

namespace testbed {

struct QueueLoad {
  PlanQueue queue;
  uint16_t worker;  // that polls it now
  uint64_t cycles;  // busy, within the span that was measured
  bool pinned;      // stays where it is
};

// A move costs a moment in which a queue waits, and warm caches: it has to be worth it. The busiest worker
// must be busy for this share of the span, and get off with this share less.
inline constexpr double kWorthLooking = 0.25, kWorthMoving = 0.15;

// Moves from the busiest worker to the idlest, as long as they take something off the busiest. None when that
// is not worth it. `span` is how many cycles each worker had.
std::vector<QueueMove> balance(std::vector<QueueLoad> queues, uint16_t workers, uint64_t span);

}  // namespace testbed
