// Packets per interval, for the picture of a flow's rate over time. Bins begin 10 ms wide and lie at
// multiples of their width, so that those of sender and receiver fall together. When there would be too many,
// neighbours are added and the width doubles: memory is bounded, nothing is forgotten, and the width stands
// in the report.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace testbed::flow {

class RateBins {
 public:
  static constexpr uint64_t kFirstWidth_ns = 10'000'000;
  static constexpr size_t kMaxBins = 8192;

  struct Bin {
    uint32_t count = 0;
    uint32_t peak_us = 0;  // the highest value that came with a count (a latency); stays at its maximum
  };

  // Times may go backwards a little (another thread's clock); before the first bin they count there.
  void add(uint64_t now_ns, uint32_t count, uint64_t peak_ns = 0) {
    if (now_ns - start_ns_ - current_ * width_ns_ >= width_ns_) [[unlikely]]
      move_to(now_ns);
    Bin& bin = bins_[current_];
    bin.count += count;
    const uint64_t peak_us = peak_ns / 1000;
    if (peak_us > bin.peak_us)
      bin.peak_us = peak_us > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(peak_us);
  }

  uint64_t start_ns() const { return start_ns_; }
  uint64_t width_ns() const { return width_ns_; }
  const std::vector<Bin>& bins() const { return bins_; }  // empty before the first add()

 private:
  void move_to(uint64_t now_ns);
  void widen();

  uint64_t start_ns_ = 0;
  uint64_t width_ns_ = kFirstWidth_ns;
  size_t current_ = 0;
  std::vector<Bin> bins_;
};

}  // namespace testbed::flow
