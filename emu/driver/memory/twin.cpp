#include "emu/driver/memory/twin.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
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
  std::vector<uint64_t> guest;
  for (const ByteRange& range : ranges)
    for (uint64_t page = range.address / kPage; page * kPage < range.address + range.length; ++page)
      guest.push_back(page);
  return from_guest(guest);
}

Result<void> Twin::keep(std::span<const uint64_t> pages) {
  void* base = ::mmap(nullptr, source_.size(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return fail_errno("cannot map what is kept of the memory", errno);
  kept_ = Mapping(base, source_.size());
  keeps_.assign(source_.size() / kPage, false);
  for (const uint64_t page : pages) keeps_[page] = true;
  return {};
}

// The source is read once: somebody may write to it at this moment, and twin and keepsake must be alike.
void Twin::copy(std::span<const uint64_t> pages) {
  for (const uint64_t page : pages) {
    const uint8_t* from = source_.base() + page * kPage;
    if (keeps_.empty() || !keeps_[page]) {
      std::memcpy(memory_.base() + page * kPage, from, kPage);
      continue;
    }
    uint8_t* kept = kept_.base() + page * kPage;
    std::memcpy(kept, from, kPage);
    std::memcpy(memory_.base() + page * kPage, kept, kPage);
  }
}

std::vector<uint64_t> Twin::differing(std::span<const uint64_t> pages) const {
  std::vector<uint64_t> found;
  for (const uint64_t page : pages)
    if (std::memcmp(memory_.base() + page * kPage, source_.base() + page * kPage, kPage) != 0)
      found.push_back(page);
  return found;
}

std::vector<uint64_t> Twin::arrived_differing(std::span<const uint64_t> pages) const {
  const uint8_t* twin = exchanged_ ? source_.base() : memory_.base();
  std::vector<uint64_t> found;
  for (const uint64_t page : pages) {
    const uint8_t* arrived = keeps_.empty() || !keeps_[page] ? twin : kept_.base();
    if (std::memcmp(arrived + page * kPage, original().base() + page * kPage, kPage) != 0)
      found.push_back(page);
  }
  return found;
}

uint64_t Twin::guest_address(uint64_t page) const {
  for (const Region& region : source_.regions())
    if (page * kPage >= region.offset && page * kPage < region.offset + region.size)
      return region.gpa + page * kPage - region.offset;
  return 0;
}

}  // namespace testbed::driver
