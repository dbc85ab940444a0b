#include "core/worker/balance.hpp"

#include <algorithm>

namespace testbed {
namespace {

uint64_t distance(uint64_t a, uint64_t b) {
  return a > b ? a - b : b - a;
}

class Loads {
 public:
  Loads(const std::vector<QueueLoad>& queues, uint16_t workers) : by_worker_(workers) {
    for (const QueueLoad& queue : queues) by_worker_[queue.worker] += queue.cycles;
  }
  uint16_t busiest() const { return index(std::ranges::max_element(by_worker_)); }
  uint16_t idlest() const { return index(std::ranges::min_element(by_worker_)); }
  uint64_t of(uint16_t worker) const { return by_worker_[worker]; }
  void move(uint64_t cycles, uint16_t from, uint16_t to) {
    by_worker_[from] -= cycles;
    by_worker_[to] += cycles;
  }

 private:
  uint16_t index(std::vector<uint64_t>::const_iterator at) const {
    return static_cast<uint16_t>(at - by_worker_.begin());
  }
  std::vector<uint64_t> by_worker_;
};

// Of the queues of `from`, the one that brings the two workers closest together. nullptr: none brings them
// closer.
QueueLoad* best_to_move(std::vector<QueueLoad>& queues, uint16_t from, uint64_t gap) {
  QueueLoad* best = nullptr;
  for (QueueLoad& queue : queues) {
    if (queue.worker != from || queue.pinned || queue.cycles == 0 || queue.cycles >= gap) continue;
    if (!best || distance(2 * queue.cycles, gap) < distance(2 * best->cycles, gap)) best = &queue;
  }
  return best;
}

}  // namespace

std::vector<QueueMove> balance(std::vector<QueueLoad> queues, uint16_t workers, uint64_t span) {
  Loads loads(queues, workers);
  const auto most = static_cast<double>(loads.of(loads.busiest()));
  if (most < kWorthLooking * static_cast<double>(span)) return {};
  const std::vector<QueueLoad> before = queues;
  for (size_t turn = 0; turn < queues.size(); ++turn) {
    const uint16_t from = loads.busiest(), to = loads.idlest();
    QueueLoad* const chosen = best_to_move(queues, from, loads.of(from) - loads.of(to));
    if (!chosen) break;
    loads.move(chosen->cycles, from, to);
    chosen->worker = to;
  }
  if (static_cast<double>(loads.of(loads.busiest())) > (1 - kWorthMoving) * most) return {};
  std::vector<QueueMove> moves;
  for (size_t i = 0; i < queues.size(); ++i)
    if (queues[i].worker != before[i].worker)
      moves.push_back({queues[i].queue, before[i].worker, queues[i].worker});
  return moves;
}

}  // namespace testbed
