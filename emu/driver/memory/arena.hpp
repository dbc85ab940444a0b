// Hands out guest memory from the front of each region. The same calls give the same addresses, so that a
// process started again on the same memory finds everything where its predecessor left it.
#pragma once

#include <optional>
#include <vector>

#include "emu/driver/memory/guest_memory.hpp"

namespace testbed::driver {

class Arena {
 public:
  explicit Arena(const std::vector<Region>& regions) {
    for (const Region& region : regions) free_.push_back({region.gpa, region.size});
  }

  // From the first region, from `first` on and around, that has room; `align` is a power of two.
  std::optional<uint64_t> take(uint64_t size, uint64_t align, size_t first = 0) {
    for (size_t i = 0; i < free_.size(); ++i) {
      ByteRange& space = free_[(first + i) % free_.size()];
      const uint64_t begin = (space.address + align - 1) & ~(align - 1);
      const uint64_t used = begin - space.address + size;
      if (used > space.length) continue;
      space = {space.address + used, space.length - used};
      return begin;
    }
    return std::nullopt;
  }

  size_t regions() const { return free_.size(); }

 private:
  std::vector<ByteRange> free_;
};

}  // namespace testbed::driver
