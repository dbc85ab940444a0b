// Frame sizes of a flow: weighted ranges, drawn for each packet from its key, so that the same packet always
// has the same size.
#pragma once

#include <cstdint>
#include <vector>

namespace testbed::flow {

struct SizeRange {
  uint32_t min = 64, max = 64;  // octets of the frame without FCS, both included
  uint32_t weight = 1;
};

class SizeMix {
 public:
  // Not empty; min <= max; at least one weight is not 0.
  explicit SizeMix(const std::vector<SizeRange>& ranges) {
    for (const SizeRange& range : ranges) {
      if (range.weight == 0) continue;
      total_ += range.weight;
      steps_.push_back({total_, range.min, range.max - range.min + 1});
      if (range.max > largest_) largest_ = range.max;
    }
    fixed_ = steps_.size() == 1 && steps_[0].count == 1;
  }

  bool fixed() const { return fixed_; }
  uint32_t largest() const { return largest_; }
  // `key` is evenly spread over 64 bits.
  uint32_t size(uint64_t key) const {
    const uint64_t draw = (key >> 32) * total_ >> 32;
    size_t i = 0;
    while (draw >= steps_[i].upto) ++i;
    return steps_[i].min + static_cast<uint32_t>((key & 0xffffffff) * steps_[i].count >> 32);
  }

 private:
  struct Step {
    uint64_t upto;
    uint32_t min, count;
  };
  std::vector<Step> steps_;
  uint64_t total_ = 0;
  uint32_t largest_ = 0;
  bool fixed_ = false;
};

}  // namespace testbed::flow
