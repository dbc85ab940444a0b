// Where everything of a net device lies in guest memory: rings, indirect tables, buffers, and a scratch area
// for chains that are built by hand. Follows from the options alone, so that a restarted driver computes the
// same.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "emu/driver/memory/guest_memory.hpp"
#include "emu/driver/ring/chain.hpp"

namespace testbed::driver {

struct NetSpec {
  uint16_t queues = 1;        // pairs, 1..128
  uint16_t size = 256;        // descriptors of every ring
  uint32_t max_frame = 9000;  // octets without FCS
  uint32_t rx_buffer = 2048;  // octets of one posted receive buffer, header included
  std::vector<uint32_t>
      tx_cut;  // lengths of a chain's first segments (header included); the rest is one more
  std::vector<uint32_t> rx_cut;
  uint32_t buffer_offset = 0;  // of the buffers from 64 octets' alignment: 4090 makes them straddle pages
  uint64_t scratch = 65536;
  // Parts of rings (by vring) that lie where they are told to; 0 means wherever there is room.
  std::map<uint16_t, RingPlace> places;
};

struct VringLayout {
  RingPlace ring;
  std::vector<uint64_t> slots;  // buffers by token
  uint32_t slot_size = 0;
};

struct NetLayout {
  std::vector<VringLayout> vrings;  // 2 per pair: receive, transmit (Virtio 1.2, 5.1.2)
  uint64_t scratch = 0, scratch_size = 0;
};

inline constexpr size_t kMaxSegments = 64;  // of a chain the driver builds itself

// All octets of guest memory that rings, tables, buffers and scratch take.
std::vector<ByteRange> areas_of(const NetLayout& layout, const NetSpec& spec);

// Of those, what the two sides write to while the other looks: descriptors, available and used rings.
std::vector<ByteRange> rings_of(const NetLayout& layout, const NetSpec& spec);

// Octets of guest memory it takes at most (with all of it in one region).
uint64_t memory_needed(const NetSpec& spec);
// Errc::invalid_argument: the regions are too small; the message says how much is needed.
Result<NetLayout> lay_out(const NetSpec& spec, const std::vector<Region>& regions);

}  // namespace testbed::driver
