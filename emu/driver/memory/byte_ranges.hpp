// A set of bytes by address, as disjoint ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

namespace testbed::driver {

struct ByteRange {
  uint64_t address = 0;
  uint64_t length = 0;
  bool operator==(const ByteRange&) const = default;
};

class ByteRanges {
 public:
  void add(uint64_t address, uint64_t length) {
    if (length == 0) return;
    uint64_t end = address + length;
    auto next = ends_.upper_bound(address);
    if (next != ends_.begin() && std::prev(next)->second >= address) {
      --next;
      address = next->first;
    }
    while (next != ends_.end() && next->first <= end) {
      end = std::max(end, next->second);
      next = ends_.erase(next);
    }
    ends_[address] = end;
  }

  void remove(uint64_t address, uint64_t length) {
    if (length == 0) return;
    const uint64_t end = address + length;
    auto next = ends_.upper_bound(address);
    if (next != ends_.begin() && std::prev(next)->second > address) --next;
    while (next != ends_.end() && next->first < end) {
      const auto [first, last] = *next;
      next = ends_.erase(next);
      if (first < address) ends_[first] = address;
      if (last > end) ends_[end] = last;
    }
  }

  // The leading bytes of `range` that are all in the set, or all out of it.
  ByteRange leading(const ByteRange& range, bool& inside) const {
    const uint64_t end = range.address + range.length;
    auto next = ends_.upper_bound(range.address);
    if (next != ends_.begin() && std::prev(next)->second > range.address) {
      inside = true;
      return {range.address, std::min(end, std::prev(next)->second) - range.address};
    }
    inside = false;
    return {range.address, (next == ends_.end() ? end : std::min(end, next->first)) - range.address};
  }

  bool contains(uint64_t address) const {
    bool inside = false;
    leading({address, 1}, inside);
    return inside;
  }
  bool empty() const { return ends_.empty(); }
  void clear() { ends_.clear(); }
  std::vector<ByteRange> all() const {
    std::vector<ByteRange> ranges;
    for (const auto& [first, last] : ends_) ranges.push_back({first, last - first});
    return ranges;
  }

 private:
  std::map<uint64_t, uint64_t> ends_;  // begin -> end
};

}  // namespace testbed::driver
