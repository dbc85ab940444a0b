// A histogram of latencies whose buckets are exact to two significant digits (under 0.8 %): HdrHistogram's
// layout for values from 1 ns to an hour (http://hdrhistogram.org/, "HdrHistogram" by Gil Tene: 256
// sub-buckets, halves shared).
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace testbed::flow {

class LatencyHistogram {
 public:
  static constexpr uint64_t kHighest_ns = 3'600'000'000'000;  // longer ones count there
  static constexpr int kDigits = 2;
  static constexpr unsigned kHalfMagnitude = 7;  // 2^8 sub-buckets >= 2 * 10^kDigits

  LatencyHistogram() : counts_(index_of(kHighest_ns) + 1) {}

  void record(uint64_t value_ns) {
    if (value_ns > kHighest_ns) value_ns = kHighest_ns;
    ++counts_[index_of(value_ns)];
    ++total_;
    if (value_ns > max_ns_) max_ns_ = value_ns;
  }

  uint64_t total() const { return total_; }
  uint64_t max_ns() const { return max_ns_; }
  // The value that `percent` of the samples do not exceed: the highest of its bucket. 0 when there are no
  // samples.
  uint64_t percentile(double percent) const;
  // HdrHistogram's V2 compressed encoding in base64 ("HISTFAAA..."); any of its tools reads it.
  std::string encoded() const;

  static size_t index_of(uint64_t value) {
    const auto bucket =
        static_cast<unsigned>(std::bit_width(value | ((2u << kHalfMagnitude) - 1))) - kHalfMagnitude - 1;
    return (static_cast<size_t>(bucket) << kHalfMagnitude) + (value >> bucket);
  }
  static uint64_t highest_of(size_t index);

 private:
  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
  uint64_t max_ns_ = 0;
};

}  // namespace testbed::flow
