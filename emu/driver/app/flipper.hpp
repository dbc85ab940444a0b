// A thread that writes one value after the other to the same place of guest memory, while a backend reads it.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace testbed::driver {

class Flipper {
 public:
  // `values` are equally long (at most 8 octets: each is one store) and lie inside one region at `where`.
  // `hz` 0: as fast as it goes.
  Flipper(uint8_t* where, std::vector<std::vector<uint8_t>> values, uint64_t hz);
  // Stops; the first value is what stays.
  ~Flipper();
  Flipper(const Flipper&) = delete;
  Flipper& operator=(const Flipper&) = delete;

  uint64_t flips() const { return flips_.load(std::memory_order_relaxed); }

 private:
  void loop(uint64_t hz);
  void store(const std::vector<uint8_t>& value) const;

  uint8_t* where_;
  std::vector<std::vector<uint8_t>> values_;
  std::atomic<uint64_t> flips_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace testbed::driver
