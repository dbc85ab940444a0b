// A number one thread adds to and any thread may read.
#pragma once

#include <atomic>
#include <cstdint>

namespace testbed {

class Counter {
 public:
  // The owning thread only: a plain load and store, no locked instruction.
  void add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

}  // namespace testbed
