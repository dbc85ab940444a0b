#include "emu/driver/memory/twin.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace testbed::driver {
namespace {

void tidy(std::vector<uint64_t>& pages) {
  std::ranges::sort(pages);
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
}

}  // namespace

Result<Twin> Twin::create(const GuestMemory& source, const MemorySpec& spec) {
  auto memory = GuestMemory::open(spec);
  if (!memory) return tl::unexpected(memory.error());
  return Twin(source, std::move(*memory));
}

std::vector<uint64_t> Twin::populated() const {
  std::vector<uint64_t> pages;
  for (const ByteRange& extent : original().touched())
    for (uint64_t page = extent.address / kPage; page * kPage < extent.address + extent.length; ++page)
      pages.push_back(page);
  tidy(pages);
  return pages;
}

std::vector<uint64_t> Twin::from_guest(std::span<const uint64_t> guest_pages) const {
  std::vector<uint64_t> pages;
  for (const uint64_t page : guest_pages)
    if (const auto offset = source_.file_offset(page * kPage)) pages.push_back(*offset / kPage);
  tidy(pages);
  return pages;
}

std::vector<uint64_t> Twin::holding(std::span<const ByteRange> ranges) const {
  ByteRanges populated;
  for (const ByteRange& extent : original().touched()) populated.add(extent.address, extent.length);
  std::vector<uint64_t> guest;
  for (const ByteRange& range : ranges)
    for (uint64_t page = range.address / kPage; page * kPage < range.address + range.length; ++page)
      guest.push_back(page);
  std::vector<uint64_t> pages = from_guest(guest);
  std::erase_if(pages, [&](uint64_t page) { return !populated.contains(page * kPage); });
  return pages;
}

void Twin::copy(std::span<const uint64_t> pages) {
  for (const uint64_t page : pages)
    std::memcpy(memory_.base() + page * kPage, source_.base() + page * kPage, kPage);
}

std::vector<uint64_t> Twin::differing(std::span<const uint64_t> pages) const {
  std::vector<uint64_t> found;
  for (const uint64_t page : pages)
    if (std::memcmp(memory_.base() + page * kPage, source_.base() + page * kPage, kPage) != 0)
      found.push_back(page);
  return found;
}

uint64_t Twin::guest_address(uint64_t page) const {
  for (const Region& region : source_.regions())
    if (page * kPage >= region.offset && page * kPage < region.offset + region.size)
      return region.gpa + page * kPage - region.offset;
  return 0;
}

}  // namespace testbed::driver
