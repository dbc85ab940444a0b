#include "core/graph/emitter.hpp"

#include <algorithm>
#include <utility>

namespace testbed {

Emitter::Emitter(size_t members)
    : slot_of_(std::make_unique_for_overwrite<uint16_t[]>(members)),
      slots_(std::make_unique_for_overwrite<Slot[]>(members)) {
  TB_ASSERT(members <= kNoSlot);
  std::fill_n(slot_of_.get(), members, kNoSlot);
}

void Emitter::account(BrickShard& counters) {
  if (forwarded_) counters.forwarded.add(std::exchange(forwarded_, 0));
  if (flooded_) {
    counters.flooded.add(std::exchange(flooded_, 0));
    counters.replicated.add(std::exchange(replicated_, 0));
  }
  if (!std::exchange(dropped_, false)) return;
  for (size_t i = 0; i < kDropReasons; ++i)
    if (drops_[i]) counters.drops.by_reason[i].add(std::exchange(drops_[i], 0));
}

}  // namespace testbed
