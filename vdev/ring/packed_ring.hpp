// The device's side of a packed virtqueue (Virtio 1.2, 2.8): where its parts lie. Immutable and small; what changes is
// the cursor of who walks it.
//
// A buffer is given back by one 64-bit store over the second half of its first slot; of a burst the first buffer comes
// last, so the driver sees all of it or nothing.
#pragma once

#include <rte_prefetch.h>

#include <atomic>
#include <bit>
#include <cstdint>

#include "vdev/gate/packed_resume.hpp"
#include "vdev/gate/ring_record.hpp"
#include "vdev/ring/place.hpp"

namespace testbed::ring {

class PackedRing {
 public:
  struct Cursor {
    uint16_t next = 0;  // the slot of the first buffer that was not given back yet
    bool wrap = true;
    uint32_t passed = 0;  // slots given back so far: a small ring is back where it was after one burst
    bool headers_stay = true;  // as SplitRing's
  };
  static bool moved(const Cursor& before, const Cursor& now) { return now.passed != before.passed; }

  static constexpr bool kChainsTakeSlots = true;

  PackedRing() = default;
  // Errc::refused: a part lies not whole in one region.
  static Result<PackedRing> place(const GuestMap& map, const wire::VringAddr& where, uint16_t size,
                                  RingTraits traits, RingLog log);

  uint16_t size() const { return size_; }

  // -- Hot: one worker at a time. As SplitRing.
  // The words that give_back() overwrites are noted in `record`, if there is one.
  template <typename Each>
  uint16_t peek(Cursor& cursor, Buffer* buffers, uint16_t most, gate::RingRecord* record, Fault& fault,
                Each&& each) const;
  uint16_t peek(Cursor& cursor, Buffer* buffers, uint16_t most, gate::RingRecord* record, Fault& fault) const {
    return peek(cursor, buffers, most, record, fault, [](uint16_t, const Buffer&) {});
  }
  Fault walk(const Buffer& first, bool writable, const GuestMap& map, SegmentPool& pool) const;
  void claim(const Cursor& cursor, gate::RingRecord& record, uint16_t slots) const {
    record.set_claim(position(cursor), slots, size_);
  }
  // A kill within give_back() of these leaves the ring as it was, or all of it done.
  void prepare(const Cursor& cursor, gate::RingRecord& record, uint16_t slots) const {
    record.set_whole(position(cursor), slots, size_);
  }
  bool exhausted(const Cursor& cursor, const Buffer* buffers, uint16_t count) const;
  void give_back(Cursor& cursor, const Buffer* buffers, const uint32_t* lengths, uint16_t count,
                 gate::RingRecord* record) const;
  void prefetch_wish() const { rte_prefetch0(driver_event_); }
  bool wants_call(const Cursor& before, const Cursor& now) const;
  bool waiting(const Cursor& cursor) const { return available(word(cursor.next), cursor.wrap); }
  void want_kicks(const Cursor& cursor, bool on) const;

  // -- Cold: no worker has the ring.
  // `base` is what the gate found (gate/packed_resume.hpp).
  Cursor resume(uint16_t base) const {
    const bool wrap = (base & wire::kPositionWrap) != 0;
    const auto slot = static_cast<uint16_t>(base & ~wire::kPositionWrap);
    return {slot, wrap};
  }
  static uint16_t position(const Cursor& cursor) {
    return static_cast<uint16_t>(cursor.next | (cursor.wrap ? wire::kPositionWrap : 0));
  }

 private:
  using Word = gate::DescWord;

  Word word(uint16_t slot) const {
    return std::bit_cast<Word>(load_acquire(reinterpret_cast<const uint64_t*>(&descriptors_[slot]) + 1));
  }
  static bool available(Word word, bool wrap) {
    return ((word.flags & wire::kPackedAvail) != 0) == wrap && ((word.flags & wire::kPackedUsed) != 0) != wrap;
  }
  void advance(uint16_t& slot, bool& wrap, uint16_t by) const {
    const uint32_t sum = uint32_t{slot} + by;
    if (sum >= size_) {
      slot = static_cast<uint16_t>(sum - size_);
      wrap = !wrap;
    } else {
      slot = static_cast<uint16_t>(sum);
    }
  }
  // Slots of the chain that begins with `first` at `slot`, and its id. 0: it has no end.
  uint16_t measure(uint16_t slot, Word first, uint16_t& id, gate::RingRecord* record, uint16_t noted) const;
  Fault walk_indirect(const Buffer& first, bool writable, const GuestMap& map, SegmentPool& pool) const;
  static Fault walk_copied(uint64_t address, uint32_t entries, bool writable, const GuestMap& map,
                           SegmentPool& pool);
  static Fault walk_table(const std::byte* table, uint32_t entries, bool writable, const GuestMap& map,
                          SegmentPool& pool);
  void log_used(const Cursor& cursor, const Buffer* buffers, uint16_t count) const;

  wire::PackedDesc* descriptors_ = nullptr;
  const wire::PackedEvent* driver_event_ = nullptr;
  wire::PackedEvent* device_event_ = nullptr;
  uint16_t size_ = 0;
  RingTraits traits_;
  RingLog log_;
};

// -- Here for the compiler: one call for a burst.

template <typename Each>
uint16_t PackedRing::peek(Cursor& cursor, Buffer* buffers, uint16_t most, gate::RingRecord* record,
                          Fault& fault, Each&& each) const {
  // Locals, because what is written below may be anything, as far as the compiler knows.
  const wire::PackedDesc* const ring = descriptors_;
  const uint16_t size = size_;
  uint16_t slot = cursor.next, noted = 0, count = 0;
  bool wrap = cursor.wrap;
  for (; count < most; ++count) {
    const auto* at = reinterpret_cast<const uint64_t*>(&ring[slot]);
    const auto first = std::bit_cast<Word>(load_acquire(at + 1));
    if (!available(first, wrap)) break;
    uint16_t id = first.id, slots = 1;
    if (first.flags & wire::kDescNext) [[unlikely]] {
      slots = measure(slot, first, id, record, noted);
      if (slots == 0 && count == 0) {
        fault = Fault::endless;
        buffers[0].id = id;
      }
      if (slots == 0) break;
    }
    // A chain longer than the log goes alone: the log's end is within it.
    if (noted + slots > gate::RingRecord::kUndo && count > 0) break;
    if (record && noted < gate::RingRecord::kUndo) record->undo[noted] = first;
    noted = static_cast<uint16_t>(noted + slots);
    const Buffer buffer = {load_once(at), first.length, first.flags, slot, id, slots};
    buffers[count] = buffer;
    each(count, buffer);
    slot = static_cast<uint16_t>(slot + slots);
    if (slot >= size) {
      slot = static_cast<uint16_t>(slot - size);
      wrap = !wrap;
    }
    if (noted >= gate::RingRecord::kUndo) return ++count;
  }
  return count;
}

inline void PackedRing::give_back(Cursor& cursor, const Buffer* buffers, const uint32_t* lengths, uint16_t count,
                                  gate::RingRecord* record) const {
  wire::PackedDesc* const ring = descriptors_;
  const uint16_t size = size_;
  uint16_t slot = cursor.next;
  bool wrap = cursor.wrap;
  uint64_t first = 0;
  for (uint16_t i = 0; i < count; ++i) {
    const auto flags = static_cast<uint16_t>((wrap ? wire::kPackedAvail | wire::kPackedUsed : 0) |
                                             (lengths[i] > 0 ? wire::kDescWrite : 0));
    const auto used = std::bit_cast<uint64_t>(Word{lengths[i], buffers[i].id, flags});
    if (i == 0)
      first = used;
    else
      store_once(reinterpret_cast<uint64_t*>(&ring[slot]) + 1, used);
    cursor.passed += buffers[i].slots;
    slot = static_cast<uint16_t>(slot + buffers[i].slots);
    if (slot >= size) {
      slot = static_cast<uint16_t>(slot - size);
      wrap = !wrap;
    }
  }
  store_release(reinterpret_cast<uint64_t*>(&ring[cursor.next]) + 1, first);
  cursor.next = slot;
  cursor.wrap = wrap;
  if (record) record->set_position(position(cursor), size_);
  if (log_.log) [[unlikely]]
    log_used(cursor, buffers, count);
}

inline bool PackedRing::wants_call(const Cursor& before, const Cursor& now) const {
  const auto event = std::bit_cast<wire::PackedEvent>(load_once(reinterpret_cast<const uint32_t*>(driver_event_)));
  if (event.flags != wire::kEventDesc || !traits_.event_index) return event.flags != wire::kEventDisable;
  // On a circle of two laps: does the slot it names lie among those just given back?
  const auto spot = [&](uint16_t slot, bool wrap) { return slot + (wrap ? 0u : size_); };
  const uint32_t laps = 2u * size_;
  const uint32_t from = spot(before.next, before.wrap);
  const uint32_t named = spot(event.offset_wrap & ~wire::kPositionWrap, (event.offset_wrap & wire::kPositionWrap) != 0);
  return (named + laps - from) % laps < now.passed - before.passed;
}

}  // namespace testbed::ring
