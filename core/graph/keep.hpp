// Keeping a packet beyond its burst, or reading more of it than its head: copies of the whole frame, headers
// as the bricks left them. The one place that knows what lies behind Packet::payload.
#pragma once

#include <cstdint>

#include "core/graph/packet.hpp"

struct rte_mbuf;
struct rte_mempool;

namespace testbed {

// Copies the frame's first min(length, capacity) octets. Returns how many. Hot: any worker.
uint32_t copy_frame(const Packet& packet, std::byte* to, uint32_t capacity);

// Copies octets [offset, offset + length) of the frame, which has them. Hot: any worker.
void read_frame(const Packet& packet, uint32_t offset, std::byte* to, uint32_t length);

// A new mbuf (a chain when the frame is longer than one) that holds the whole frame; nullptr when `pool` is
// empty.
rte_mbuf* copy_to_mbuf(const Packet& packet, rte_mempool* pool);

// Copies `length` octets from `offset` of the frame behind `payload`, as it lies. The range is within the
// frame.
using PayloadReader = void (*)(const void* payload, uint32_t offset, std::byte* to, uint32_t length);

// Whoever makes packets of a kind says how they are read; mbufs and plain memory are known. Before the first such packet.
void set_payload_reader(PayloadKind kind, PayloadReader reader);

}  // namespace testbed
