// Which worker polls which receive queue.
#pragma once

#include <cstdint>

#include "core/graph/plan.hpp"

namespace testbed {

// Fills plan.polls. A queue that `before` had too stays with its worker, so that no two workers ever poll it
// in the moment of change; a new one goes to the worker with the fewest queues.
void assign_queues(Plan& plan, const Plan& before, uint16_t workers);

}  // namespace testbed
