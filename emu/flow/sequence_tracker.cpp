#include "emu/flow/sequence_tracker.hpp"

#include <algorithm>

namespace testbed::flow {

Arrival SequenceTracker::out_of_order(uint64_t sequence, uint64_t stamp_ns) {
  if (sequence > next_) {
    if (gaps_.size() >= max_gaps_) make_room();
    gaps_.push_back({next_, sequence - 1, sequence - next_, stamp_ns_, stamp_ns});
    missing_ += sequence - next_;
    next_ = sequence + 1;
    stamp_ns_ = stamp_ns;
    return Arrival::ahead;
  }
  const auto gap = std::ranges::lower_bound(gaps_, sequence, {}, &Gap::last);
  if (gap == gaps_.end() || sequence < gap->first) return Arrival::duplicate;
  if (gap->missing < gap->width()) return Arrival::unclear;
  return fill(gap, sequence, stamp_ns);
}

Arrival SequenceTracker::fill(std::vector<Gap>::iterator gap, uint64_t sequence, uint64_t stamp_ns) {
  --missing_;
  if (gap->missing == 1) {
    gaps_.erase(gap);
  } else if (sequence == gap->first) {
    *gap = {gap->first + 1, gap->last, gap->missing - 1, stamp_ns, gap->before_ns};
  } else if (sequence == gap->last) {
    *gap = {gap->first, gap->last - 1, gap->missing - 1, gap->after_ns, stamp_ns};
  } else {
    const Gap upper{sequence + 1, gap->last, gap->last - sequence, stamp_ns, gap->before_ns};
    *gap = {gap->first, sequence - 1, sequence - gap->first, gap->after_ns, stamp_ns};
    gaps_.insert(gap + 1, upper);
    if (gaps_.size() > max_gaps_) make_room();
  }
  return Arrival::late;
}

// Merges the older half in pairs: a quarter of the room is free afterwards, so that this is rare.
void SequenceTracker::make_room() {
  const size_t pairs = gaps_.size() / 4;
  for (size_t i = 0; i < pairs; ++i) {
    const Gap& low = gaps_[2 * i];
    const Gap& high = gaps_[2 * i + 1];
    merged_ += high.first - low.last - 1;
    gaps_[i] = {low.first, high.last, low.missing + high.missing, low.after_ns, high.before_ns};
  }
  gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(pairs),
              gaps_.begin() + static_cast<std::ptrdiff_t>(2 * pairs));
}

}  // namespace testbed::flow
