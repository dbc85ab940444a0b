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

// A table may follow normal descriptors, and is the last then (Virtio 1.2, 2.7.5.3.2).
Fault SplitRing::walk(const Buffer& first, bool writable, const GuestMap& map, SegmentPool& pool) const {
  const uint32_t start = pool.used();
  Link link{first.address, {first.length, first.flags, first.next}};
  Fault fault = follow({descriptors_, size_}, link, writable, map, pool);
  if (fault == Fault::indirect) fault = walk_indirect(link, writable, map, pool);
  if (fault != Fault::none) pool.cut(start);
  return fault;
}

// Each descriptor is read once. The walk ends after as many as the table has, or a frame may have parts, were
// they empty: a circle has no end, and a guest's table may be as long as its memory.
Fault SplitRing::follow(const Table& table, Link& link, bool writable, const GuestMap& map,
                        SegmentPool& pool) const {
  for (uint32_t walked = 1;; ++walked) {
    const Word word = link.word;
    if (word.flags & wire::kDescIndirect) return Fault::indirect;
    if (((word.flags & wire::kDescWrite) != 0) != writable) return Fault::direction;
    if (const Fault fault = append(map, link.address, word.length, pool); fault != Fault::none) return fault;
    if ((word.flags & wire::kDescNext) == 0) return Fault::none;
    if (walked == std::min(table.entries, SegmentPool::kRoom) || word.next >= table.entries)
      return Fault::chain;
    link = link_at(table, word.next);
  }
}

Fault SplitRing::walk_indirect(const Link& named, bool writable, const GuestMap& map,
                               SegmentPool& pool) const {
  const auto [length, flags, next] = named.word;
  const uint32_t entries = length / sizeof(SplitDesc);
  if (!traits_.indirect || entries == 0 || length % sizeof(SplitDesc) != 0 || (flags & wire::kDescNext) != 0)
    return Fault::indirect;
  const Table table{map.at(named.address, length), entries};
  if (table.at == nullptr) [[unlikely]]
    return walk_copied(named.address, entries, writable, map, pool);
  Link link = link_at(table, 0);
  return follow(table, link, writable, map, pool);
}

// A table that does not lie whole in one region.
Fault SplitRing::walk_copied(uint64_t address, uint32_t entries, bool writable, const GuestMap& map,
                             SegmentPool& pool) const {
  TableCopy copy;
  const Table table{copy.data(), std::min(entries, SegmentPool::kRoom)};
  if (!copy_table(map, address, table.entries, copy)) return Fault::address;
  Link link = link_at(table, 0);
  return follow(table, link, writable, map, pool);
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
  return {used, used, used};
}

}  // namespace testbed::ring
