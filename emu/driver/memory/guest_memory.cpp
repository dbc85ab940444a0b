#include "emu/driver/memory/guest_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "core/base/assert.hpp"

namespace testbed::driver {

Mapping::Mapping(Mapping&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (base_) ::munmap(base_, size_);
}

namespace {

bool whole_pages(uint64_t value) {
  return value % kPage == 0;
}

Result<uint64_t> file_size(std::vector<Region> regions) {
  if (regions.empty()) return fail(Errc::invalid_argument, "memory needs at least one region");
  uint64_t size = 0;
  for (const Region& region : regions) {
    if (region.size == 0 || !whole_pages(region.size) || !whole_pages(region.offset) ||
        !whole_pages(region.gpa))
      return fail(Errc::invalid_argument, "a region's gpa, size and offset are whole pages of 4096 octets");
    if (region.gpa + region.size < region.gpa || region.offset + region.size < region.offset)
      return fail(Errc::invalid_argument, "a region ends beyond 2^64");
    size = std::max(size, region.offset + region.size);
  }
  std::ranges::sort(regions, {}, &Region::gpa);
  for (size_t i = 1; i < regions.size(); ++i)
    if (regions[i - 1].gpa + regions[i - 1].size > regions[i].gpa)
      return fail(Errc::invalid_argument, "two regions overlap in guest-physical addresses");
  return size;
}

Result<Fd> open_backing(const MemorySpec& spec) {
  if (spec.inherited >= 0) {
    Fd fd(::fcntl(spec.inherited, F_DUPFD_CLOEXEC, 3));
    if (!fd) return fail_errno("descriptor " + std::to_string(spec.inherited) + " for the memory", errno);
    return fd;
  }
  Fd fd(spec.file.empty() ? ::memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING)
                          : ::open(spec.file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(spec.file.empty() ? "memfd_create" : "cannot open " + spec.file, errno);
  return fd;
}

// Only grows: a file that outlived its process keeps its pages.
Result<void> make_room(int fd, uint64_t size) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail_errno("fstat of the memory", errno);
  if (static_cast<uint64_t>(info.st_size) >= size) return {};
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return fail_errno("cannot size the memory", errno);
  return {};
}

}  // namespace

Result<GuestMemory> GuestMemory::open(const MemorySpec& spec) {
  const auto size = file_size(spec.regions);
  if (!size) return tl::unexpected(size.error());
  auto fd = open_backing(spec);
  if (!fd) return tl::unexpected(fd.error());
  if (auto ok = make_room(fd->get(), *size); !ok) return tl::unexpected(ok.error());
  if (spec.sealed && ::fcntl(fd->get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
    return fail_errno("cannot seal the memory (only a memfd can be sealed)", errno);
  void* base = ::mmap(nullptr, *size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd->get(), 0);
  if (base == MAP_FAILED) return fail_errno("cannot map the memory", errno);
  return GuestMemory(std::move(*fd), Mapping(base, *size), spec.regions);
}

uint64_t GuestMemory::top() const {
  uint64_t top = 0;
  for (const Region& region : regions_) top = std::max(top, region.gpa + region.size);
  return top;
}

uint8_t* GuestMemory::at(uint64_t gpa, uint64_t length) const {
  for (const Region& region : regions_)
    if (gpa >= region.gpa && gpa - region.gpa < region.size && length <= region.size - (gpa - region.gpa))
      return map_.base() + region.offset + (gpa - region.gpa);
  return nullptr;
}

std::optional<uint64_t> GuestMemory::file_offset(uint64_t gpa) const {
  const uint8_t* where = at(gpa, 1);
  return where ? std::optional(static_cast<uint64_t>(where - map_.base())) : std::nullopt;
}

// Moves the page tables and keeps the pages: mapping 256 MB anew takes thirty times as long, and every page
// has to be found again.
void GuestMemory::exchange(GuestMemory& other) {
  TB_ASSERT(other.map_.size() == map_.size());
  std::swap(fd_, other.fd_);
  const auto move = [size = map_.size()](void* from, void* to) {
    const void* now = ::mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    TB_ASSERT(now == to);
  };
  void* aside = ::mmap(nullptr, map_.size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  TB_ASSERT(aside != MAP_FAILED);
  move(map_.base(), aside);
  move(other.map_.base(), map_.base());
  move(aside, other.map_.base());
}

const uint8_t* GuestMemory::before(uint64_t gpa, uint64_t length) const {
  const uint8_t* now = at(gpa, length);
  return now && mirror_.base() ? mirrored(now) : nullptr;
}

std::vector<ByteRange> GuestMemory::touched() const {
  std::vector<ByteRange> extents;
  const auto end = static_cast<off_t>(map_.size());
  for (off_t from = 0; from < end;) {
    const off_t data = ::lseek(fd_.get(), from, SEEK_DATA);
    if (data < 0 || data >= end) break;
    const off_t hole = std::min(::lseek(fd_.get(), data, SEEK_HOLE), end);
    if (hole <= data) break;
    extents.push_back({static_cast<uint64_t>(data), static_cast<uint64_t>(hole - data)});
    from = hole;
  }
  return extents;
}

void fill_unused(const GuestMemory& memory, std::span<const ByteRange> used) {
  ByteRanges taken;
  for (const ByteRange& range : used) {
    const uint64_t first = range.address / kPage, last = (range.address + range.length) / kPage;
    taken.add(first * kPage, (last - first + 1) * kPage);
  }
  uint64_t value = 1;
  for (const Region& region : memory.regions())
    for (uint64_t gpa = region.gpa; gpa < region.gpa + region.size; gpa += kPage) {
      if (taken.contains(gpa)) continue;
      auto* words = reinterpret_cast<uint64_t*>(memory.at(gpa, kPage));
      for (uint64_t i = 0; i < kPage / sizeof *words; ++i) words[i] = value += 0x9e3779b97f4a7c15;
    }
}

Result<void> GuestMemory::snapshot() {
  void* base = ::mmap(nullptr, map_.size(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return fail_errno("cannot map a mirror of the memory", errno);
  Mapping mirror(base, map_.size());
  for (const auto& [offset, length] : touched())  // holes read as zero, as a fresh mapping does
    std::memcpy(mirror.base() + offset, map_.base() + offset, length);
  mirror_ = std::move(mirror);
  return {};
}

}  // namespace testbed::driver
