// A bounded queue between one producer thread and one consumer thread, without locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>

namespace testbed {

template <typename T, size_t kSize>
class SpscRing {
  static_assert(kSize > 0 && (kSize & (kSize - 1)) == 0, "a power of two");

 public:
  // Producer. False: full, nothing was added.
  bool push(const T& value) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kSize) return false;
    slots_[tail % kSize] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Consumer.
  std::optional<T> pop() {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    const T value = slots_[head % kSize];
    head_.store(head + 1, std::memory_order_release);
    return value;
  }

 private:
  alignas(64) std::atomic<size_t> tail_ = 0;
  alignas(64) std::atomic<size_t> head_ = 0;
  std::array<T, kSize> slots_;
};

}  // namespace testbed
