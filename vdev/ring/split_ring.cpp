#include "vdev/ring/split_ring.hpp"

#include <algorithm>

namespace testbed::ring {

using wire::SplitDesc;

Result<SplitRing> SplitRing::place(const GuestMap& map, const wire::VringAddr& where, uint16_t size,
                                   RingTraits traits, RingLog log) {
  SplitRing ring;
  const uint32_t event = traits.event_index ? sizeof(uint16_t) : 0;
  ring.descriptors_ = map.at_user(where.descriptor, size * sizeof(SplitDesc));
  ring.available_ = reinterpret_cast<const wire::SplitAvail*>(
      map.at_user(where.available, sizeof(wire::SplitAvail) + 2u * size + event));
  ring.used_ = reinterpret_cast<wire::SplitUsed*>(
      map.at_user(where.used, sizeof(wire::SplitUsed) + sizeof(wire::SplitUsedElement) * size + event));
  if (!ring.descriptors_ || !ring.available_ || !ring.used_)
    return fail(Errc::refused, "a part of a virtqueue lies in no region of guest memory");
  ring.size_ = size;
  ring.traits_ = traits;
  ring.log_ = log;
  return ring;
}

// Each descriptor is read once. The walk ends after as many as the table has, or a frame may have parts, were
// they empty: a circle has no end, and a guest's table may be as long as its memory.
Fault SplitRing::walk(const Buffer& first, bool writable, const GuestMap& map, SegmentPool& pool) const {
  const uint32_t start = pool.used();
  const auto give_up = [&](Fault fault) {
    pool.cut(start);
    return fault;
  };
  const std::byte* table = descriptors_;
  uint32_t entries = size_;
  uint64_t address = first.address;
  Word word{first.length, first.flags, first.next};
  if (word.flags & wire::kDescIndirect) {
    entries = word.length / sizeof(SplitDesc);
    table = map.at(address, word.length);
    if (!traits_.indirect || entries == 0 || word.length % sizeof(SplitDesc) != 0 ||
        (word.flags & wire::kDescNext) != 0)
      return give_up(Fault::indirect);
    if (table == nullptr) return give_up(Fault::address);
    address = address_of(table);
    word = word_of(table);
  }
  for (uint32_t walked = 1;; ++walked) {
    if (word.flags & wire::kDescIndirect) return give_up(Fault::indirect);
    if (((word.flags & wire::kDescWrite) != 0) != writable) return give_up(Fault::direction);
    if (const Fault fault = append(map, address, word.length, pool); fault != Fault::none) return give_up(fault);
    if ((word.flags & wire::kDescNext) == 0) return Fault::none;
    if (walked == std::min(entries, SegmentPool::kRoom) || word.next >= entries) return give_up(Fault::chain);
    const std::byte* next = table + word.next * sizeof(SplitDesc);
    address = address_of(next);
    word = word_of(next);
  }
}

// What the chains say of NEXT now decides no more than under which name a frame is counted.
bool SplitRing::exhausted(const Cursor&, const Buffer* buffers, uint16_t count) const {
  uint32_t taken = 0;  // of the descriptor table
  for (uint16_t i = 0; i < count && taken < size_; ++i) {
    ++taken;
    Word word{0, buffers[i].flags, buffers[i].next};
    for (; taken < size_ && (word.flags & wire::kDescNext) && word.next < size_; ++taken)
      word = word_of(descriptors_ + word.next * sizeof(SplitDesc));
  }
  return count == kBuffers || taken == size_;
}

void SplitRing::want_kicks(const Cursor& cursor, bool on) const {
  if (traits_.event_index) {
    if (!on) return;  // an event that has passed asks for nothing
    store_once(event(), cursor.next);
    log_.mark(log_.ring + 4 + 8u * size_, sizeof(uint16_t));
  } else {
    store_once(&used_->flags, on ? uint16_t{0} : wire::kUsedNoNotify);
    log_.mark(log_.ring, sizeof(uint16_t));
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

SplitRing::Cursor SplitRing::resume(uint16_t /*base*/) const {
  const uint16_t used = load_acquire(&used_->index);
  return {used, used};
}

}  // namespace testbed::ring
