#include "vdev/gate/rules/memory_rules.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "vdev/gate/rules/log_rules.hpp"
#include "vdev/gate/rules/vring_rules.hpp"

namespace testbed::gate {
namespace {

bool wraps(uint64_t base, uint64_t size) {
  return base + size < base;
}

bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

Refusal bad(size_t region, const std::string& what) {
  return {Reason::memory, "region " + std::to_string(region) + ": " + what};
}

Verdict check_region(size_t i, const wire::MemoryRegion& region, const FdFacts& file) {
  if (region.size == 0) return bad(i, "it is empty");
  if (wraps(region.guest_address, region.size) || wraps(region.user_address, region.size))
    return bad(i, "its addresses wrap around");
  if (wraps(region.mmap_offset, region.size)) return bad(i, "its offset and size wrap around");
  if (region.mmap_offset + region.size > file.size)
    return bad(i, "it ends at " + std::to_string(region.mmap_offset + region.size) + " in a file of " +
                      std::to_string(file.size) + " bytes");
  return kPass;
}

// As librte_vhost compares tables: it keeps the old mappings if these are equal.
bool same_addresses(std::span<const wire::MemoryRegion> a, std::span<const wire::MemoryRegion> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.guest_address == y.guest_address && x.size == y.size && x.user_address == y.user_address;
  });
}

Verdict check_overlaps(std::span<const wire::MemoryRegion> regions) {
  for (size_t i = 0; i < regions.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const wire::MemoryRegion &a = regions[i], &b = regions[j];
      if (overlap(a.guest_address, a.size, b.guest_address, b.size))
        return bad(i, "its guest addresses are also those of region " + std::to_string(j));
      if (overlap(a.user_address, a.size, b.user_address, b.size))
        return bad(i, "its user addresses are also those of region " + std::to_string(j));
    }
  return kPass;
}

}  // namespace

std::vector<wire::MemoryRegion> regions_of(const Message& message) {
  std::vector<wire::MemoryRegion> regions(*message.as<uint32_t>());
  std::memcpy(regions.data(), message.payload.data() + wire::kMemoryTableHead,
              regions.size() * sizeof(wire::MemoryRegion));
  return regions;
}

Verdict check_region_count(const Message& message) {
  const uint32_t count = *message.as<uint32_t>();
  if (count == 0 || count > wire::kMaxRegions)
    return Refusal{Reason::memory, "a table of " + std::to_string(count) + " regions"};
  if (message.payload.size() < wire::kMemoryTableHead + count * sizeof(wire::MemoryRegion))
    return Refusal{Reason::malformed, "SET_MEM_TABLE announces " + std::to_string(count) +
                                          " regions in a payload of " +
                                          std::to_string(message.payload.size()) + " bytes"};
  return kPass;
}

Verdict check_memory(const Message& message, std::span<const FdFacts> fds, const Said& said) {
  Said after = said;
  after.table = regions_of(message);
  for (size_t i = 0; i < fds.size(); ++i)
    if (auto refusal = check_region(i, after.table[i], fds[i])) return refusal;
  if (auto refusal = check_overlaps(after.table)) return refusal;
  if (same_addresses(after.table, said.table) && !same_table(message, fds, said))
    return Refusal{Reason::memory,
                   "the same addresses as before in another file; the library would not notice"};
  for (size_t i = 0; i < after.rings.size(); ++i)
    if (after.rings[i].started() && check_ring(i, after))
      return Refusal{Reason::memory, "virtqueue " + std::to_string(i) + " runs and would lie outside"};
  return check_log_coverage(after);
}

bool same_table(const Message& message, std::span<const FdFacts> fds, const Said& said) {
  const auto regions = regions_of(message);
  const auto same_offset = [](const auto& x, const auto& y) { return x.mmap_offset == y.mmap_offset; };
  const auto same_file = [](const FdFacts& fd, const FileId& file) { return fd.id == file; };
  return same_addresses(regions, said.table) &&
         std::equal(regions.begin(), regions.end(), said.table.begin(), same_offset) &&
         std::equal(fds.begin(), fds.end(), said.files.begin(), said.files.end(), same_file);
}

bool in_one_region(std::span<const wire::MemoryRegion> table, uint64_t user, uint64_t length) {
  for (const wire::MemoryRegion& region : table) {
    const uint64_t within = user - region.user_address;
    if (user >= region.user_address && within < region.size && length <= region.size - within) return true;
  }
  return false;
}

}  // namespace testbed::gate
