#include "vdev/ring/guest_map.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace testbed::ring {

Result<std::shared_ptr<const GuestMap>> GuestMap::map(std::span<const gate::GuestMemory::Region> table) {
  std::shared_ptr<GuestMap> map(new GuestMap);
  for (const auto& [where, file] : table) {
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return fail_errno("fstat of a memory region", errno);
    // Files on hugetlbfs are mapped in whole pages; their block size is the page size.
    const uint64_t page = std::max<uint64_t>(4096, static_cast<uint64_t>(info.st_blksize));
    const uint64_t before = where.mmap_offset % page;
    const uint64_t length = (before + where.size + page - 1) / page * page;
    void* base = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.get(),
                        static_cast<off_t>(where.mmap_offset - before));
    if (base == MAP_FAILED) return fail_errno("cannot map guest memory", errno);
    ::madvise(base, length, MADV_DONTDUMP);  // a core of the switch holds no guest's secrets
    map->regions_.push_back({where.guest_address, where.size, static_cast<std::byte*>(base) + before,
                             where.user_address, base, length});
  }
  std::stable_sort(map->regions_.begin(), map->regions_.end(),
                   [](const Region& a, const Region& b) { return a.size > b.size; });
  if (!map->regions_.empty()) {
    const Region& largest = map->regions_.front();
    map->largest_ = {largest.guest, largest.size, largest.base};
  }
  return map;
}

GuestMap::~GuestMap() {
  for (const Region& region : regions_) ::munmap(region.mapping, region.mapped);
}

std::byte* GuestMap::at_any(uint64_t guest, uint32_t length) const {
  for (const Region& region : regions_) {
    const uint64_t within = guest - region.guest;
    if (within < region.size && length <= region.size - within) return region.base + within;
  }
  return nullptr;
}

std::span<std::byte> GuestMap::from(uint64_t guest, uint32_t length) const {
  for (const Region& region : regions_) {
    const uint64_t within = guest - region.guest;
    if (within < region.size) return {region.base + within, std::min<uint64_t>(length, region.size - within)};
  }
  return {};
}

std::byte* GuestMap::at_user(uint64_t user, uint64_t length) const {
  for (const Region& region : regions_) {
    const uint64_t within = user - region.user;
    if (within < region.size && length <= region.size - within) return region.base + within;
  }
  return nullptr;
}

std::optional<uint64_t> GuestMap::guest_of_user(uint64_t user) const {
  for (const Region& region : regions_)
    if (user - region.user < region.size) return region.guest + (user - region.user);
  return std::nullopt;
}

}  // namespace testbed::ring
