#include "emu/driver/memory/page_diff.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace testbed::driver {
namespace {

void changed_in_page(uint64_t gpa, const uint8_t* now, const uint8_t* before, std::vector<ByteRange>& found) {
  for (uint64_t i = 0; i < kPage;) {
    if (now[i] == before[i]) {
      ++i;
      continue;
    }
    const uint64_t first = i;
    while (i < kPage && now[i] != before[i]) ++i;
    found.push_back({gpa + first, i - first});
  }
}

}  // namespace

std::vector<ByteRange> changed_bytes(const GuestMemory& memory) {
  static constexpr std::array<uint8_t, kPage> kZeros{};
  std::vector<ByteRange> found;
  if (!memory.has_snapshot()) return found;
  ByteRanges touched;
  for (const ByteRange& extent : memory.touched()) touched.add(extent.address, extent.length);
  for (const Region& region : memory.regions()) {
    for (uint64_t at = 0; at < region.size; at += kPage) {
      const uint64_t gpa = region.gpa + at;
      const uint8_t* now = touched.contains(region.offset + at) ? memory.at(gpa, kPage) : kZeros.data();
      const uint8_t* before = memory.before(gpa, kPage);
      if (std::memcmp(now, before, kPage) != 0) changed_in_page(gpa, now, before, found);
    }
  }
  return found;
}

std::vector<uint64_t> pages_of(std::span<const ByteRange> ranges) {
  std::vector<uint64_t> pages;
  for (const ByteRange& range : ranges)
    for (uint64_t page = range.address / kPage;
         range.length && page <= (range.address + range.length - 1) / kPage; ++page)
      pages.push_back(page);
  std::ranges::sort(pages);
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  return pages;
}

}  // namespace testbed::driver
