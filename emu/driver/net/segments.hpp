// Cutting a buffer into the segments of a chain.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "emu/driver/net/net_layout.hpp"

namespace testbed::driver {

class Segments {
 public:
  // `cut` names the lengths of the first segments; what remains of `length` is the last. At most
  // kMaxSegments.
  Segments(uint64_t gpa, uint32_t length, const std::vector<uint32_t>& cut, bool write) {
    for (const uint32_t piece : cut) {
      if (length <= piece || count_ + 1 == kMaxSegments) break;
      segments_[count_++] = {gpa, piece, write};
      gpa += piece;
      length -= piece;
    }
    segments_[count_++] = {gpa, length, write};
  }

  std::span<const Segment> all() const { return {segments_.data(), count_}; }
  size_t count() const { return count_; }

  // How many there would be.
  static size_t count(uint32_t length, const std::vector<uint32_t>& cut) {
    size_t count = 1;
    for (const uint32_t piece : cut) {
      if (length <= piece || count == kMaxSegments) break;
      length -= piece;
      ++count;
    }
    return count;
  }

 private:
  std::array<Segment, kMaxSegments> segments_;
  size_t count_ = 0;
};

}  // namespace testbed::driver
