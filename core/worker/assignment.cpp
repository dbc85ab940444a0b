#include "core/worker/assignment.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace testbed {

void assign_queues(Plan& plan, const Plan& before, uint16_t workers) {
  std::map<std::pair<const Port*, uint16_t>, size_t> owners;
  for (size_t worker = 0; worker < before.polls.size(); ++worker)
    for (const auto& [port, queue] : before.polls[worker]) owners[{before.ports[port].port, queue}] = worker;

  plan.polls.assign(workers, {});
  std::vector<PlanQueue> fresh;
  for (uint32_t port = 0; port < plan.ports.size(); ++port) {
    for (uint16_t queue = 0; queue < plan.ports[port].port->queues(); ++queue) {
      const auto owner = owners.find({plan.ports[port].port, queue});
      if (owner != owners.end())
        plan.polls[owner->second].push_back({port, queue});
      else
        fresh.push_back({port, queue});
    }
  }
  for (const PlanQueue& queue : fresh)
    std::ranges::min_element(plan.polls, {}, &std::vector<PlanQueue>::size)->push_back(queue);
}

}  // namespace testbed
