#include "vdev/ring/packed_ring.hpp"

namespace testbed::ring {

using wire::PackedDesc;

Result<PackedRing> PackedRing::place(const GuestMap& map, const wire::VringAddr& where, uint16_t size,
                                     RingTraits traits, RingLog log) {
  PackedRing ring;
  ring.descriptors_ = reinterpret_cast<PackedDesc*>(map.at_user(where.descriptor, size * sizeof(PackedDesc)));
  ring.driver_event_ =
      reinterpret_cast<const wire::PackedEvent*>(map.at_user(where.available, sizeof(wire::PackedEvent)));
  ring.device_event_ =
      reinterpret_cast<wire::PackedEvent*>(map.at_user(where.used, sizeof(wire::PackedEvent)));
  if (!ring.descriptors_ || !ring.driver_event_ || !ring.device_event_)
    return fail(Errc::refused, "a part of a virtqueue lies in no region of guest memory");
  ring.size_ = size;
  ring.traits_ = traits;
  ring.log_ = log;
  return ring;
}

// Only the head's flags say that a chain is there; the driver wrote the rest before them.
uint16_t PackedRing::measure(uint16_t slot, Word first, uint16_t& id, gate::RingRecord* record,
                             uint16_t noted) const {
  uint16_t slots = 1;
  bool wrap = true;  // of no interest
  for (Word last = first; last.flags & wire::kDescNext; ++slots) {
    if (slots == size_) return 0;
    advance(slot, wrap, 1);
    last = word(slot);
    id = last.id;
    if (record && noted + slots < gate::RingRecord::kUndo) record->undo[noted + slots] = last;
  }
  return slots;
}

// How many slots it has was read once; what its other descriptors say of NEXT now is not asked.
Fault PackedRing::walk(const Buffer& first, bool writable, const GuestMap& map, SegmentPool& pool) const {
  const uint32_t start = pool.used();
  Fault fault = Fault::none;
  if (first.flags & wire::kDescIndirect) {
    fault = first.slots > 1 ? Fault::indirect : walk_indirect(first, writable, map, pool);
  } else if (first.slots > SegmentPool::kRoom) {
    fault = Fault::chain;
  } else {
    fault = first.writable() == writable ? append(map, first.address, first.length, pool) : Fault::direction;
    uint16_t slot = first.next;
    bool wrap = true;  // of no interest
    for (uint16_t i = 1; i < first.slots && fault == Fault::none; ++i) {
      advance(slot, wrap, 1);
      const Word here = word(slot);
      if (here.flags & wire::kDescIndirect)
        fault = Fault::indirect;
      else if (((here.flags & wire::kDescWrite) != 0) != writable)
        fault = Fault::direction;
      else
        fault = append(map, load_once(&descriptors_[slot].address), here.length, pool);
    }
  }
  if (fault != Fault::none) pool.cut(start);
  return fault;
}

// In a table of a packed ring the descriptors follow each other; of their flags only WRITE counts (Virtio 1.2, 2.8.7).
Fault PackedRing::walk_indirect(const Buffer& first, bool writable, const GuestMap& map, SegmentPool& pool) const {
  const uint32_t entries = first.length / sizeof(PackedDesc);
  if (!traits_.indirect || entries == 0 || first.length % sizeof(PackedDesc) != 0) return Fault::indirect;
  if (entries > SegmentPool::kRoom) return Fault::chain;  // were they empty: as long as the guest's memory
  const std::byte* table = map.at(first.address, first.length);
  if (table == nullptr) [[unlikely]]
    return walk_copied(first.address, entries, writable, map, pool);
  return walk_table(table, entries, writable, map, pool);
}

// A table that does not lie whole in one region.
Fault PackedRing::walk_copied(uint64_t address, uint32_t entries, bool writable, const GuestMap& map,
                              SegmentPool& pool) {
  TableCopy copy;
  if (!copy_table(map, address, entries, copy)) return Fault::address;
  return walk_table(copy.data(), entries, writable, map, pool);
}

Fault PackedRing::walk_table(const std::byte* table, uint32_t entries, bool writable, const GuestMap& map,
                             SegmentPool& pool) {
  for (uint32_t i = 0; i < entries; ++i) {
    const std::byte* at = table + i * sizeof(PackedDesc);
    const auto word = std::bit_cast<Word>(load_anywhere<uint64_t>(at + 8));
    if (word.flags & wire::kDescIndirect) return Fault::indirect;
    if (((word.flags & wire::kDescWrite) != 0) != writable) return Fault::direction;
    if (const Fault fault = append(map, load_anywhere<uint64_t>(at), word.length, pool); fault != Fault::none)
      return fault;
  }
  return Fault::none;
}

bool PackedRing::exhausted(const Cursor& cursor, const Buffer* buffers, uint16_t count) const {
  uint16_t slots = 0;
  for (uint16_t i = 0; i < count; ++i) slots = static_cast<uint16_t>(slots + buffers[i].slots);
  if (count == kBuffers || slots >= gate::RingRecord::kUndo || slots == size_) return true;
  // Was there one more, for which the undo log has no room?
  uint16_t slot = cursor.next, id = 0;
  bool wrap = cursor.wrap;
  advance(slot, wrap, slots);
  const Word next = word(slot);
  return available(next, wrap) && slots + measure(slot, next, id, nullptr, 0) > gate::RingRecord::kUndo;
}

void PackedRing::log_used(const Cursor&, const Buffer* buffers, uint16_t count) const {
  for (uint16_t i = 0; i < count; ++i) {
    const uint64_t offset = sizeof(PackedDesc) * buffers[i].next;
    log_.mark(log_.ring + offset, sizeof(PackedDesc));
    if (log_.said != 0) log_.mark(log_.said + offset, sizeof(PackedDesc));
  }
}

void PackedRing::want_kicks(const Cursor& /*cursor*/, bool on) const {
  store_once(&device_event_->flags, on ? wire::kEventEnable : wire::kEventDisable);
  log_.mark(log_.event, sizeof(wire::PackedEvent));
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace testbed::ring
