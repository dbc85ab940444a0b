#include "vdev/ring/place.hpp"

namespace testbed::ring {

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
