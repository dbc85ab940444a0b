// A frame in guest memory: what Packet::payload points to while PayloadKind is `guest`. Made by the source of a burst in
// its worker's scratch, valid until the burst has run to completion.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/graph/packet.hpp"
#include "vdev/ring/buffer.hpp"
#include "vdev/ring/calls.hpp"

namespace testbed::ring {

// The longest frame that any port takes: 64 KiB of IP, an Ethernet header and a VLAN tag.
inline constexpr uint32_t kLongestFrame = 65535 + 18;

struct alignas(32) Frame {
  const std::byte* at;  // its first octet, behind the virtio header
  uint32_t here;        // how many lie there
  uint32_t more;        // segments that follow
  const Segment* rest;
};
static_assert(sizeof(Frame) == 32);

// Octets [offset, offset + length) of the frame behind `payload`, which has them (graph/keep.hpp, PayloadReader).
void read_guest_frame(const void* payload, uint32_t offset, std::byte* to, uint32_t length);

// Makes read_guest_frame() known. Before the first packet.
void register_guest_frames();

struct SessionView;

// What a worker needs for the burst in hand. One for each, shared by all ports: it stays in the cache.
struct Scratch {
  alignas(64) std::array<std::array<std::byte, kHeadBytes>, kBurst> heads;
  std::array<Frame, kBurst> frames;
  // -- Of the receive queue whose burst is in hand.
  std::array<Buffer, kBurst> taken_buffers;
  uint16_t taken = 0;
  const SessionView* taken_by = nullptr;  // the view whose buffers they are; there may be a newer one by now
  SegmentPool taken_segments;
  // -- Of the transmit in hand.
  std::array<Buffer, kBuffers> put_buffers;
  std::array<std::byte*, kBuffers> put_at;
  std::array<uint32_t, kBuffers> put_lengths;
  SegmentPool put_segments;
  Calls calls;
};

}  // namespace testbed::ring
