// What travels through the graph: a header in hand and a payload in place (docs/architecture.md, "Life of a
// packet").
//
// A packet belongs to the port that received it until the burst has run to completion: sinks copy out of it
// while the burst runs, and whoever needs it longer keeps a copy of its own (graph/keep.hpp). Nobody else
// frees anything.
#pragma once

#include <cstddef>
#include <cstdint>

namespace testbed {

// Packets per burst. librte_vhost moves at most 32 in one call; larger bursts gained nothing where it was
// measured.
inline constexpr uint16_t kBurst = 32;
// Bytes of the frame that a brick may look at: enough for Ethernet, two VLAN tags, IPv6, TCP with options, or
// VXLAN.
inline constexpr uint16_t kHeadBytes = 128;
// The least a frame has: destination, source, type (IEEE 802.3). Shorter ones come to no brick and no port.
inline constexpr uint16_t kEthernetHeader = 14;

enum class PayloadKind : uint8_t {
  mbuf,    // Packet::payload is an rte_mbuf holding the whole frame (possibly in segments)
  guest,   // Packet::payload is the source's own record of a descriptor chain in guest memory
  memory,  // Packet::payload is the frame's first octet; the whole frame lies there
};

// What a sending guest has left to others (Virtio 1.2, 5.1.6.2): a checksum, and the cutting of a long TCP segment into
// frames. It travels with the packet to a guest that takes it so, and is finished on the way to all others
// (graph/offload.hpp).
struct Unfinished {
  enum class Cut : uint8_t { none, tcp4, tcp6 };
  uint16_t from = 0;     // where the checksum begins: the transport header
  uint16_t at = 0;       // where behind `from` it is to be stored; the sum of the pseudo header is there already
  uint16_t segment = 0;  // octets of payload in each frame; 0: is not cut
  Cut cut = Cut::none;
};

inline constexpr uint8_t kUnfinished = 1;

// Two to a cache line. Written by the source and by bricks of one worker only; never shared between threads.
struct alignas(32) Packet {
  std::byte* head;       // the frame's first head_length octets, in memory that only this worker writes
  void* payload;         // the whole frame, where it lies; what it is says `kind`. Bricks never look inside
  uint32_t length;       // octets of the frame, without virtio header and FCS
  uint16_t head_length;  // min(length, kHeadBytes), less where the first segment is shorter
  PayloadKind kind;
  uint8_t flags;  // 0 or kUnfinished
  Unfinished unfinished = {};  // if flags have kUnfinished
};
static_assert(sizeof(Packet) == 32);

}  // namespace testbed
