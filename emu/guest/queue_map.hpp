// Which transmit queue a socket's frames leave by. Linux chooses by CPU or by a hash of addresses; what lets
// a socket choose is mqprio's table from priorities to queues, one queue per priority (tc-mqprio(8), without
// hardware).
#pragma once

#include <cstdint>

#include "core/base/result.hpp"

namespace testbed::guest {

// As many as there are priorities in the table.
inline constexpr uint16_t kMaxMappedQueues = 16;

// Afterwards SO_PRIORITY q means queue q, for q < queues. 2 <= queues <= kMaxMappedQueues.
Result<void> map_priorities_to_queues(int interface, uint16_t queues);
// Back to the default. The number of queues must not change under a table.
Result<void> unmap_queues(int interface);

}  // namespace testbed::guest
