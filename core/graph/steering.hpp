// Which of a port's transmit queues a packet leaves by. All packets of a flow, in both directions, have the
// same hash, and so the same queue for as long as the set of queues stays: whoever receives a flow on one
// core answers it from there, and a flow keeps its order.
#pragma once

#include <cstdint>

#include "core/graph/packet.hpp"

namespace testbed {

// Of addresses, protocol and ports where the packet is IPv4 or IPv6 with TCP, UDP, UDP-Lite, DCCP or SCTP (up
// to two VLAN tags before it); without ports for other protocols and for fragments, which have none but in
// the first; of the MAC addresses for everything else. Symmetric: swapping source and
// destination changes nothing. Hot. Reads no more than the head.
uint32_t flow_hash(const Packet& packet);

// Scales instead of dividing: the upper bits decide.
inline uint16_t lane_of(uint32_t hash, uint16_t lanes) {
  return static_cast<uint16_t>(uint64_t{hash} * lanes >> 32);
}

}  // namespace testbed
