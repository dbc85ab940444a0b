// A plan with the executors that run it. Made by control, handed to the workers by one release store, freed
// by control after quiescence.
#pragma once

#include <deque>
#include <utility>

#include "core/graph/executor.hpp"
#include "core/graph/plan.hpp"

namespace testbed {

struct RunningPlan {
  RunningPlan(Plan from, uint16_t workers, uint64_t number) : serial(number), plan(std::move(from)) {
    for (uint16_t worker = 0; worker < workers; ++worker) executors.emplace_back(plan, worker);
  }

  const uint64_t serial;  // from 1; never used twice
  const Plan plan;
  std::deque<Executor> executors;  // by worker, each used by that worker only
};

}  // namespace testbed
