// Buffers as a driver offers them, read once: whatever it writes into its descriptors afterwards changes nothing here.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vdev/ring/fault.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::ring {

// Buffers in one look at a ring; also what one frame may take in mergeable buffers.
inline constexpr uint16_t kBuffers = 64;

// The first descriptor of a chain.
struct Buffer {
  uint64_t address;
  uint32_t length;  // these three lie as in a split descriptor
  uint16_t flags;
  uint16_t next;   // split: the second descriptor, if flags have NEXT; packed: its first slot
  uint16_t id;     // what is given back: split: its descriptor; packed: what the chain's last slot says
  uint16_t slots;  // packed: how many the chain takes; split: 1

  bool plain() const { return (flags & (wire::kDescNext | wire::kDescIndirect)) == 0; }
  bool writable() const { return (flags & wire::kDescWrite) != 0; }
};

// A part of a buffer in this process's memory. All of it lies in one region.
struct Segment {
  std::byte* at;
  uint64_t guest;
  uint32_t length;
};

// Room for the parts of all chains of a burst. One per worker and direction.
class SegmentPool {
 public:
  static constexpr uint32_t kRoom = 1024;

  void clear() { used_ = 0; }
  uint32_t used() const { return used_; }
  bool full() const { return used_ == kRoom; }
  const Segment* from(uint32_t first) const { return &segments_[first]; }
  void push(const Segment& segment) { segments_[used_++] = segment; }
  void cut(uint32_t to) { used_ = to; }

 private:
  uint32_t used_ = 0;
  std::array<Segment, kRoom> segments_;
};

// One load: the compiler may not read it again, and what is not torn by the CPU is not torn at all.
template <typename T>
inline T load_once(const T* word) {
  return std::atomic_ref(*const_cast<T*>(word)).load(std::memory_order_relaxed);
}
template <typename T>
inline T load_acquire(const T* word) {
  return std::atomic_ref(*const_cast<T*>(word)).load(std::memory_order_acquire);
}
// Of an indirect table, which may begin anywhere.
template <typename T>
inline T load_anywhere(const void* at) {
  if (reinterpret_cast<uintptr_t>(at) % alignof(T) == 0) [[likely]]
    return load_acquire(static_cast<const T*>(at));
  T value;
  std::memcpy(&value, at, sizeof value);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return value;
}
template <typename T>
inline void store_once(T* word, T value) {
  std::atomic_ref(*word).store(value, std::memory_order_relaxed);
}
template <typename T>
inline void store_release(T* word, T value) {
  std::atomic_ref(*word).store(value, std::memory_order_release);
}

}  // namespace testbed::ring
