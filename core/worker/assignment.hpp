// Which worker polls which receive queue. Pure functions over plans.
#pragma once

#include <cstdint>
#include <vector>

#include "core/graph/placement.hpp"
#include "core/graph/plan.hpp"

namespace testbed {

// Fills plan.polls. A queue that `before` had too stays with its worker, unless it is pinned elsewhere or the
// policy moves it.
void assign_queues(Plan& plan, const Plan& before, uint16_t workers, AssignmentPolicy policy);

struct QueueMove {
  PlanQueue queue;  // of the plan after the move
  uint16_t from, to;
};
// Queues that both plans have, with different workers.
std::vector<QueueMove> moved_queues(const Plan& before, const Plan& after);

// `plan` without the queues that move: what runs in between, so that no two workers ever poll one queue and
// that the last packet the old worker took is sent before the new one takes the next.
Plan without(const Plan& plan, const std::vector<QueueMove>& moves);

}  // namespace testbed
