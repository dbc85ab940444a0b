#include "emu/flow/rate_bins.hpp"

#include <algorithm>

namespace testbed::flow {

void RateBins::move_to(uint64_t now_ns) {
  if (bins_.empty()) {
    start_ns_ = now_ns - now_ns % width_ns_;
    bins_.reserve(kMaxBins);
    bins_.resize(1);
  }
  if (now_ns < start_ns_) {
    current_ = 0;
    return;
  }
  while ((now_ns - start_ns_) / width_ns_ >= kMaxBins) widen();
  current_ = (now_ns - start_ns_) / width_ns_;
  if (current_ >= bins_.size()) bins_.resize(current_ + 1);
}

void RateBins::widen() {
  const uint64_t wide = 2 * width_ns_;
  const size_t shift = start_ns_ % wide ? 1 : 0;  // the first bin may be the upper half of its pair
  std::vector<Bin> wider((bins_.size() + shift + 1) / 2);
  wider.reserve(kMaxBins);
  for (size_t i = 0; i < bins_.size(); ++i) {
    Bin& to = wider[(i + shift) / 2];
    to.count += bins_[i].count;
    to.peak_us = std::max(to.peak_us, bins_[i].peak_us);
  }
  start_ns_ -= start_ns_ % wide;
  width_ns_ = wide;
  bins_ = std::move(wider);
}

}  // namespace testbed::flow
