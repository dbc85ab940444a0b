// What bricks read of an Ethernet header. Callers have checked that the head holds one.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/bricks/fdb.hpp"
#include "core/graph/packet.hpp"

namespace testbed {

inline uint64_t load64(const std::byte* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline Mac destination_of(const Packet& packet) {
  return load64(packet.head) & kMacMask;
}
inline Mac source_of(const Packet& packet) {
  return load64(packet.head + 4) >> 16;
}

// 01:80:c2:00:00:00 to 0f: for the neighbour on the link, never relayed (IEEE 802.1Q, 8.6.3).
inline bool is_link_local_group(Mac mac) {
  return (mac & 0xf0ff'ffff'ffff) == 0x0000'00c2'8001;
}

}  // namespace testbed
