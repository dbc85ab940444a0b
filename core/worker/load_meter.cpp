#include "core/worker/load_meter.hpp"

namespace testbed {
namespace {

// A queue that moved has cycles in the shards of several workers.
uint64_t cycles_of(const PlanPort& port, uint16_t queue, size_t workers) {
  uint64_t cycles = 0;
  for (size_t worker = 0; worker < workers; ++worker)
    cycles += port.counters->shard(static_cast<uint16_t>(worker)).queues[queue].busy_cycles.get();
  return cycles;
}

}  // namespace

std::vector<QueueLoad> LoadMeter::read(const Plan& plan) {
  decltype(last_) now;
  std::vector<QueueLoad> loads;
  for (size_t worker = 0; worker < plan.polls.size(); ++worker) {
    for (const PlanQueue& queue : plan.polls[worker]) {
      const PlanPort& port = plan.ports[queue.port];
      const std::pair<const PortCounters*, uint16_t> key{port.counters, queue.queue};
      const uint64_t cycles = now[key] = cycles_of(port, queue.queue, plan.polls.size());
      const auto before = last_.find(key);
      // Counters of another port may lie where those of one that is gone lay.
      const bool known = before != last_.end() && before->second <= cycles;
      loads.push_back(
          {queue, static_cast<uint16_t>(worker), known ? cycles - before->second : 0, !port.pinned.empty()});
    }
  }
  last_ = std::move(now);
  return loads;
}

}  // namespace testbed
