// Ethernet frames for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

using Frame = std::vector<std::byte>;

// Station n is 02:00:00:00:hh:ll.
constexpr uint64_t station(uint16_t n) {
  return 0x02 | static_cast<uint64_t>(n >> 8) << 32 | static_cast<uint64_t>(n & 0xff) << 40;
}
inline constexpr uint64_t kBroadcast = 0xffff'ffff'ffff;
inline constexpr uint64_t kBpdu = 0x0000'00c2'8001;  // 01:80:c2:00:00:00

inline Frame frame(uint64_t destination, uint64_t source, size_t size = 64) {
  Frame bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + size);
  for (size_t i = 0; i < 6; ++i) {
    bytes[i] = static_cast<std::byte>(destination >> (8 * i));
    bytes[6 + i] = static_cast<std::byte>(source >> (8 * i));
  }
  return bytes;
}
