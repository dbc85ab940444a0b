// What survives a crash about one virtqueue. Of a packed one: its position after the last whole burst, and an undo log
// of the burst that was under way. Lies in the port's memory file (port_memory.hpp), so SIGKILL does not lose
// it.
//
// Written by the worker that holds the queue, read by the gate when the ring starts again, never both at
// once. `state` is one word and is stored last (x86 keeps stores in order, the compiler is told to): a kill
// between any two instructions leaves either the old position, the old position with a complete undo log, or
// the new position.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "vdev/gate/packed_resume.hpp"

namespace testbed::gate {

struct alignas(64) RingRecord {
  // Two slots for each packet of a burst: header and data. A burst is cut to what fits.
  static constexpr uint16_t kUndo = 64;
  static constexpr uint16_t kMark = 0x7b1e, kClaimed = 0x7b1f, kWhole = 0x7b20;

  struct alignas(8) State {  // else clang calls a library for its atomic
    uint16_t position;
    uint16_t undo;  // entries of the undo log that count; 0 between bursts. Of a split ring: buffers
    uint16_t size;  // of the ring; a ring of another size is another ring
    uint16_t mark;  // kMark: something is recorded; the others: of which kind the unfinished burst is
  };
  static_assert(sizeof(State) == 8);

  std::atomic<State> state;
  std::array<uint64_t, 7> padding;  // the log begins on a cache line of its own
  std::array<DescWord, kUndo> undo;

  bool holds(uint16_t size) const {
    const State now = state.load(std::memory_order_acquire);
    return now.mark >= kMark && now.mark <= kWhole && now.size == size && now.undo <= kUndo;
  }
  bool claimed() const { return state.load(std::memory_order_acquire).mark == kClaimed; }
  Unfinished unfinished() const {
    const uint16_t mark = state.load(std::memory_order_acquire).mark;
    return mark == kClaimed ? Unfinished::claimed : mark == kWhole ? Unfinished::whole : Unfinished::in_parts;
  }
  void set_position(uint16_t position, uint16_t size) {
    state.store({position, 0, size, kMark}, std::memory_order_release);
  }
  void set_burst(uint16_t position, uint16_t entries, uint16_t size) {
    state.store({position, entries, size, kMark}, std::memory_order_release);
  }
  // Rings of our own give the first buffer of a burst back last: without it nothing of the burst counts.
  void set_whole(uint16_t position, uint16_t entries, uint16_t size) {
    state.store({position, std::min(entries, kUndo), size, kWhole}, std::memory_order_release);
  }
  // Rings of our own forward a frame from where it lies, and give its buffer back afterwards. A kill in between must
  // not forward it again: after this the buffers of the burst are given back unused.
  void set_claim(uint16_t position, uint16_t entries, uint16_t size) {
    state.store({position, std::min(entries, kUndo), size, kClaimed}, std::memory_order_release);
  }
};
static_assert(sizeof(RingRecord) == 64 + 8 * RingRecord::kUndo);
static_assert(std::atomic<RingRecord::State>::is_always_lock_free);

}  // namespace testbed::gate
