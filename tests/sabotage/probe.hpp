// Probes of the emulated frontends among all frames (docs/protocol.md, "The probe frame"): only they are
// spoilt, so that what goes wrong is what the checkers count, and not an ARP.
#pragma once

#include <algorithm>
#include <cstring>

#include "core/graph/packet.hpp"

namespace testbed::sabotage {

inline constexpr uint16_t kProbeHeader = 56;
inline constexpr uint16_t kStreamAt = 26, kStreamOctets = 4;  // flow and stream
inline constexpr uint16_t kPayloadAt = kProbeHeader;

inline bool is_probe(const Packet& packet) {
  static constexpr unsigned char kMark[] = {0x88, 0xb5, 0x7b, 0x7d, 1, 1};  // EtherType .. kind
  return packet.head_length > kPayloadAt && std::memcmp(packet.head + 12, kMark, sizeof kMark) == 0;
}

inline bool same_stream(const Packet& a, const Packet& b) {
  return std::memcmp(a.head + kStreamAt, b.head + kStreamAt, kStreamOctets) == 0;
}

// The first probe of a burst; count: there is none.
inline uint16_t find_probe(Packet* const* packets, uint16_t count) {
  return static_cast<uint16_t>(
      std::find_if(packets, packets + count, [](const Packet* packet) { return is_probe(*packet); }) -
      packets);
}

}  // namespace testbed::sabotage
