#include "emu/flow/latency_histogram.hpp"

#include <algorithm>
#include <cmath>

#include "emu/flow/hdr_encoding.hpp"

namespace testbed::flow {

uint64_t LatencyHistogram::highest_of(size_t index) {
  if (index < (2u << kHalfMagnitude)) return index;
  const size_t bucket = (index >> kHalfMagnitude) - 1;
  const uint64_t sub = index - (bucket << kHalfMagnitude);
  return ((sub + 1) << bucket) - 1;
}

uint64_t LatencyHistogram::percentile(double percent) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(total_) * percent / 100.0 - 1e-9));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size() && total_ > 0; ++i) {
    seen += counts_[i];
    if (seen >= std::max<uint64_t>(wanted, 1)) return highest_of(i);
  }
  return 0;
}

std::string LatencyHistogram::encoded() const {
  return encode_hdr_v2(counts_, kDigits, 1, kHighest_ns);
}

}  // namespace testbed::flow
