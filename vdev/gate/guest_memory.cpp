#include "vdev/gate/guest_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace testbed::gate {

MappedRange::~MappedRange() {
  ::munmap(base_, length_);
}

Result<void> GuestMemory::set_table(const Message& message) {
  uint32_t count;
  std::memcpy(&count, message.payload.data(), sizeof count);
  if (count > wire::kMaxRegions || count != message.fds.size() ||
      message.payload.size() < wire::kMemoryTableHead + count * sizeof(wire::MemoryRegion))
    return fail(Errc::protocol, "SET_MEM_TABLE with " + std::to_string(count) + " regions, " +
                                    std::to_string(message.fds.size()) + " descriptors and " +
                                    std::to_string(message.payload.size()) + " bytes");
  std::vector<Region> regions(count);
  for (uint32_t i = 0; i < count; ++i) {
    std::memcpy(&regions[i].where,
                message.payload.data() + wire::kMemoryTableHead + i * sizeof(wire::MemoryRegion),
                sizeof(wire::MemoryRegion));
    regions[i].file = Fd(::fcntl(message.fds[i].get(), F_DUPFD_CLOEXEC, 0));
    if (!regions[i].file) return fail_errno("cannot duplicate a descriptor", errno);
  }
  regions_ = std::move(regions);
  return {};
}

Result<std::unique_ptr<MappedRange>> GuestMemory::map(uint64_t user_address, size_t length) const {
  for (const auto& [where, file] : regions_) {
    const uint64_t within = user_address - where.user_address;
    if (user_address < where.user_address || within >= where.size || length > where.size - within) continue;
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return fail_errno("fstat of a memory region", errno);
    const uint64_t offset = where.mmap_offset + within;
    const auto file_size = static_cast<uint64_t>(info.st_size);
    if (offset < within || file_size < length || offset > file_size - length)
      return fail(Errc::refused, "a virtqueue lies outside the file behind its memory region");
    // Files on hugetlbfs are mapped in whole pages; their block size is the page size.
    const uint64_t page = std::max<uint64_t>(4096, static_cast<uint64_t>(info.st_blksize));
    const uint64_t first = offset / page * page;
    const uint64_t span = (offset + length - first + page - 1) / page * page;
    void* base =
        ::mmap(nullptr, span, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), static_cast<off_t>(first));
    if (base == MAP_FAILED) return fail_errno("cannot map a virtqueue", errno);
    return std::make_unique<MappedRange>(base, span, static_cast<std::byte*>(base) + (offset - first));
  }
  return fail(Errc::refused, "a virtqueue lies in no memory region");
}

std::optional<uint64_t> GuestMemory::guest_address(uint64_t user_address) const {
  for (const auto& [where, file] : regions_)
    if (const uint64_t within = user_address - where.user_address; within < where.size)
      return where.guest_address + within;
  return std::nullopt;
}

}  // namespace testbed::gate
