// The device's side of a split virtqueue (Virtio 1.2, 2.7): where its parts lie. Immutable and small; what changes is
// the cursor of who walks it. Used entries are published in the order in which buffers were made available, so one
// index serves both.
#pragma once

#include <rte_prefetch.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>

#include "vdev/gate/ring_record.hpp"
#include "vdev/ring/place.hpp"

namespace testbed::ring {

class SplitRing {
 public:
  struct Cursor {
    uint16_t next = 0;  // the first buffer that was not given back yet; what the used index says
    uint16_t seen = 0;  // the available index as last read
    // Only to know which lines to ask for:
    uint16_t asked = 0;   // the first buffer whose descriptor was not asked for yet
    uint16_t offset = 0;  // from a buffer's number to its descriptor's, as of the last buffer read
    bool headers_stay = true;  // receive queues: the driver leaves virtio headers in its buffers as they were (Sink)
  };
  static bool moved(const Cursor& before, const Cursor& now) { return now.next != before.next; }

  static constexpr bool kChainsTakeSlots = false;

  SplitRing() = default;
  // Errc::refused: a part lies not whole in one region.
  static Result<SplitRing> place(const GuestMap& map, const wire::VringAddr& where, uint16_t size,
                                 RingTraits traits, RingLog log);

  uint16_t size() const { return size_; }

  // -- Hot: one worker at a time.
  // Reads the first descriptors of at most `most` <= kBuffers waiting buffers. Takes nothing: the next call begins at
  // the same one. 0 and a fault: the ring cannot be walked any more.
  // `each` is called with every one of them, and its place in `buffers`.
  template <typename Each>
  uint16_t peek(Cursor& cursor, Buffer* buffers, uint16_t most, gate::RingRecord* record, Fault& fault,
                Each&& each) const;
  uint16_t peek(Cursor& cursor, Buffer* buffers, uint16_t most, gate::RingRecord* record, Fault& fault) const {
    return peek(cursor, buffers, most, record, fault, [](uint16_t, const Buffer&) {});
  }
  // All parts of a buffer, in order. On a fault `pool` is as it was.
  Fault walk(const Buffer& first, bool writable, const GuestMap& map, SegmentPool& pool) const;
  // A kill from here to the next give_back() gives `count` buffers back unused: what was in them has gone on.
  void claim(const Cursor& cursor, gate::RingRecord& record, uint16_t count) const {
    record.set_claim(cursor.next, count, size_);
  }
  // One store publishes a burst: there is nothing to prepare for.
  void prepare(const Cursor&, gate::RingRecord&, uint16_t) const {}
  // After a peek() at kBuffers that found `count`: the driver cannot make more of them available, or a frame
  // may not take more. Whoever lacks room waits in vain.
  bool exhausted(const Cursor& cursor, const Buffer* buffers, uint16_t count) const;
  // Gives back the next `count` buffers, of which `lengths` octets were written, and publishes that.
  void give_back(Cursor& cursor, const Buffer* buffers, const uint32_t* lengths, uint16_t count,
                 gate::RingRecord* record) const;
  // After give_back() and a full fence: does the driver want to be told of what was given back since `before`?
  bool wants_call(const Cursor& before, const Cursor& now) const;
  // Asks for the line that wants_call() will read.
  void prefetch_wish() const {
    rte_prefetch0(traits_.event_index ? static_cast<const void*>(&entries()[size_]) : &available_->flags);
  }
  // May a buffer be waiting? Reads the driver's index.
  bool waiting(const Cursor& cursor) const { return load_acquire(&available_->index) != cursor.next; }
  // Tells the driver whether it should kick.
  void want_kicks(const Cursor& cursor, bool on) const;

  // -- Cold: no worker has the ring.
  // Goes on where the ring itself says; the front-end's base is what it was when the device started.
  Cursor resume(uint16_t base) const;
  // As GET_VRING_BASE has it.
  static uint16_t position(const Cursor& cursor) { return cursor.next; }

 private:
  const uint16_t* entries() const { return reinterpret_cast<const uint16_t*>(available_ + 1); }
  wire::SplitUsedElement* elements() const { return reinterpret_cast<wire::SplitUsedElement*>(used_ + 1); }
  uint16_t* event() const { return reinterpret_cast<uint16_t*>(elements() + size_); }

  struct Word {
    uint32_t length;
    uint16_t flags, next;
  };
  static Word word_of(const std::byte* descriptor) {
    return std::bit_cast<Word>(load_anywhere<uint64_t>(descriptor + 8));
  }
  static constexpr uint16_t kOnLine = 64 / sizeof(wire::SplitDesc);
  static void ask(const std::byte* table, uint16_t id) { rte_prefetch0(table + id * sizeof(wire::SplitDesc)); }
  static uint64_t address_of(const std::byte* descriptor) { return load_anywhere<uint64_t>(descriptor); }

  struct Table {
    const std::byte* at;
    uint32_t entries;
  };
  struct Link {
    uint64_t address;
    Word word;
  };
  static Link link_at(const Table& table, uint32_t index) {
    const std::byte* at = table.at + index * sizeof(wire::SplitDesc);
    return {address_of(at), word_of(at)};
  }
  // From `link` on, which is left at the last one. Fault::indirect: that names another table.
  Fault follow(const Table& table, Link& link, bool writable, const GuestMap& map, SegmentPool& pool) const;
  Fault walk_indirect(const Link& named, bool writable, const GuestMap& map, SegmentPool& pool) const;
  Fault walk_copied(uint64_t address, uint32_t entries, bool writable, const GuestMap& map,
                    SegmentPool& pool) const;

  const std::byte* descriptors_ = nullptr;
  const wire::SplitAvail* available_ = nullptr;
  wire::SplitUsed* used_ = nullptr;
  uint16_t size_ = 0;
  RingTraits traits_;
  RingLog log_;
};

// -- Here for the compiler: one call for a burst.

template <typename Each>
uint16_t SplitRing::peek(Cursor& cursor, Buffer* buffers, uint16_t most, gate::RingRecord* /*record*/,
                         Fault& fault, Each&& each) const {
  auto ready = static_cast<uint16_t>(cursor.seen - cursor.next);
  if (ready < most) {
    cursor.seen = load_acquire(&available_->index);
    ready = static_cast<uint16_t>(cursor.seen - cursor.next);
    if (ready == 0) return 0;
    if (ready > size_) [[unlikely]] {
      fault = Fault::index;
      buffers[0].id = cursor.seen;
      return 0;
    }
  }
  uint16_t count = ready < most ? ready : most;
  // Locals, because what is written below may be anything, as far as the compiler knows.
  const uint16_t* const ring = entries();
  const std::byte* const table = descriptors_;
  const uint16_t next = cursor.next, size = size_, mask = static_cast<uint16_t>(size_ - 1);
  uint16_t asked = static_cast<uint16_t>(cursor.asked - next);
  if (asked > ready) asked = 0;
  // Drivers mostly go round their table. Where they do, its lines are on their way before the entries are here.
  for (uint16_t i = asked; i < count; i += kOnLine) ask(table, static_cast<uint16_t>(next + i + cursor.offset) & mask);
  for (uint16_t i = 0; i < count; ++i) {
    const uint16_t id = load_once(&ring[(next + i) & mask]);
    buffers[i].id = id;
    if (id >= size) [[unlikely]] {
      if (i == 0) fault = Fault::head;
      count = i;
      break;
    }
    if (i >= asked) ask(table, id);
  }
  // The next burst's, if they are there already.
  const uint16_t end = std::min<uint16_t>(ready, static_cast<uint16_t>(2 * count));
  for (uint16_t i = std::max(asked, count); i < end; ++i) ask(table, load_once(&ring[(next + i) & mask]) & mask);
  cursor.asked = static_cast<uint16_t>(next + std::max(end, asked));
  if (count > 0) cursor.offset = static_cast<uint16_t>(buffers[count - 1].id - (next + count - 1));
  rte_prefetch0(&ring[(cursor.asked + count - 1) & mask]);
  for (uint16_t i = 0; i < count; ++i) {
    const auto* at = reinterpret_cast<const uint64_t*>(table + buffers[i].id * sizeof(wire::SplitDesc));
    const uint64_t address = load_once(at);
    const auto word = std::bit_cast<Word>(load_once(at + 1));
    buffers[i] = {address, word.length, word.flags, word.next, buffers[i].id, 1};
  }
  // In a loop of its own, which does not wait for the descriptor in hand: 85 instead of 102 cycles a packet.
  for (uint16_t i = 0; i < count; ++i) each(i, buffers[i]);
  return count;
}

inline void SplitRing::give_back(Cursor& cursor, const Buffer* buffers, const uint32_t* lengths, uint16_t count,
                                 gate::RingRecord* record) const {
  const auto mask = static_cast<uint16_t>(size_ - 1);
  const uint16_t first = cursor.next;
  wire::SplitUsedElement* const ring = elements();
  for (uint16_t i = 0; i < count; ++i) {
    const wire::SplitUsedElement element{buffers[i].id, lengths[i]};  // lies at 4 modulo 8; the index publishes it
    std::memcpy(&ring[(first + i) & mask], &element, sizeof element);
  }
  cursor.next = static_cast<uint16_t>(first + count);
  store_release(&used_->index, cursor.next);
  if (record) record->set_position(cursor.next, size_);
  if (!log_.log) [[likely]]
    return;
  for (uint16_t i = 0; i < count; ++i) log_.mark(log_.ring + 4 + 8u * ((first + i) & mask), 8);
  log_.mark(log_.ring, sizeof(wire::SplitUsed));
}

inline bool SplitRing::wants_call(const Cursor& before, const Cursor& now) const {
  if (!traits_.event_index) return (load_once(&available_->flags) & wire::kAvailNoInterrupt) == 0;
  const uint16_t event = load_once(&entries()[size_]);
  return static_cast<uint16_t>(now.next - event - 1) < static_cast<uint16_t>(now.next - before.next);
}

}  // namespace testbed::ring
