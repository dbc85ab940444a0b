// MAC addresses of flows. A flow with many streams uses consecutive addresses: the last two octets count up.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace testbed::flow {

struct Mac {
  std::array<uint8_t, 6> octets{};

  bool operator==(const Mac&) const = default;

  // The address `index` further on. Wraps within the last two octets, so a range never leaves its first four.
  Mac plus(uint16_t index) const {
    Mac other = *this;
    const auto tail = static_cast<uint16_t>(low() + index);
    other.octets[4] = static_cast<uint8_t>(tail >> 8);
    other.octets[5] = static_cast<uint8_t>(tail);
    return other;
  }
  uint16_t low() const { return static_cast<uint16_t>(octets[4] << 8 | octets[5]); }
  bool multicast() const { return octets[0] & 1; }
  // Big endian, for sets and comparisons.
  uint64_t number() const {
    uint64_t value = 0;
    for (const uint8_t octet : octets) value = value << 8 | octet;
    return value;
  }
};

inline constexpr Mac kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

inline Mac mac_at(const uint8_t* octets) {
  return Mac{{octets[0], octets[1], octets[2], octets[3], octets[4], octets[5]}};
}

// "02:00:00:00:00:01". Errc::invalid_argument when it is anything else.
Result<Mac> parse_mac(std::string_view text);
std::string to_string(const Mac& mac);

}  // namespace testbed::flow
