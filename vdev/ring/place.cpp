#include "vdev/ring/place.hpp"

#include <cstring>

namespace testbed::ring {

bool copy_table(const GuestMap& map, uint64_t address, uint32_t entries, TableCopy& to) {
  const auto length = static_cast<uint32_t>(entries * sizeof(wire::SplitDesc));
  for (uint32_t done = 0; done < length;) {
    const std::span<std::byte> here = map.from(address + done, length - done);
    if (here.empty()) return false;
    std::memcpy(to.data() + done, here.data(), here.size());
    done += static_cast<uint32_t>(here.size());
  }
  return true;
}

Fault append(const GuestMap& map, uint64_t address, uint32_t length, SegmentPool& pool) {
  while (length > 0) {
    if (pool.full()) return Fault::chain;
    const std::span<std::byte> here = map.from(address, length);
    if (here.empty()) return Fault::address;
    pool.push({here.data(), address, static_cast<uint32_t>(here.size())});
    address += here.size();
    length -= static_cast<uint32_t>(here.size());
  }
  return Fault::none;
}

}  // namespace testbed::ring
