#include "core/worker/assignment.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace testbed {
namespace {

using QueueName = std::pair<const Port*, uint16_t>;

QueueName name_of(const Plan& plan, const PlanQueue& queue) {
  return {plan.ports[queue.port].port, queue.queue};
}

std::map<QueueName, uint16_t> owners_in(const Plan& plan) {
  std::map<QueueName, uint16_t> owners;
  for (size_t worker = 0; worker < plan.polls.size(); ++worker)
    for (const PlanQueue& queue : plan.polls[worker])
      owners[name_of(plan, queue)] = static_cast<uint16_t>(worker);
  return owners;
}

bool is_free(const Plan& plan, const PlanQueue& queue) {
  return plan.ports[queue.port].pinned.empty();
}

// Ends: each turn takes from the longest list and makes none longer than that was.
void level(Plan& plan) {
  while (true) {
    const auto [least, most] = std::ranges::minmax_element(plan.polls, {}, &std::vector<PlanQueue>::size);
    if (most->size() < least->size() + 2) return;
    const auto last = std::find_if(most->rbegin(), most->rend(),
                                   [&](const PlanQueue& queue) { return is_free(plan, queue); });
    if (last == most->rend()) return;
    least->push_back(*last);
    most->erase(std::next(last).base());
  }
}

}  // namespace

void assign_queues(Plan& plan, const Plan& before, uint16_t workers, AssignmentPolicy policy) {
  const auto owners = owners_in(before);
  plan.polls.assign(workers, {});
  std::vector<PlanQueue> fresh;
  for (uint32_t port = 0; port < plan.ports.size(); ++port) {
    const auto& pinned = plan.ports[port].pinned;
    for (uint16_t queue = 0; queue < plan.ports[port].port->queues(); ++queue) {
      const auto owner = owners.find({plan.ports[port].port, queue});
      if (!pinned.empty())
        plan.polls[pinned[queue % pinned.size()]].push_back({port, queue});
      else if (owner != owners.end())
        plan.polls[owner->second].push_back({port, queue});
      else
        fresh.push_back({port, queue});
    }
  }
  for (const PlanQueue& queue : fresh)
    std::ranges::min_element(plan.polls, {}, &std::vector<PlanQueue>::size)->push_back(queue);
  if (policy == AssignmentPolicy::round_robin) level(plan);
}

std::vector<QueueMove> moved_queues(const Plan& before, const Plan& after) {
  const auto owners = owners_in(before);
  std::vector<QueueMove> moves;
  for (size_t worker = 0; worker < after.polls.size(); ++worker) {
    for (const PlanQueue& queue : after.polls[worker]) {
      const auto owner = owners.find(name_of(after, queue));
      if (owner != owners.end() && owner->second != worker)
        moves.push_back({queue, owner->second, static_cast<uint16_t>(worker)});
    }
  }
  return moves;
}

Plan without(const Plan& plan, const std::vector<QueueMove>& moves) {
  Plan rest = plan;
  for (const QueueMove& move : moves) std::erase(rest.polls[move.to], move.queue);
  return rest;
}

}  // namespace testbed
