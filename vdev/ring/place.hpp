// Where the three parts of a virtqueue lie, from a SET_VRING_ADDR that the gate has judged.
#pragma once

#include <cstdint>

#include "core/base/result.hpp"
#include "vdev/gate/dirty_log.hpp"
#include "vdev/ring/buffer.hpp"
#include "vdev/ring/guest_map.hpp"
#include "vdev/wire/vhost_user.hpp"

namespace testbed::ring {

// What a ring has to know of what was negotiated.
struct RingTraits {
  bool event_index = false;
  bool indirect = false;
};

// Where the device's writes into the ring itself are logged; `log` is null: nowhere. The object belongs to the view
// that the ring belongs to.
struct RingLog {
  const gate::DirtyLog* log = nullptr;
  uint64_t ring = 0;   // guest-physical: split: of the used ring; packed: of the descriptors
  uint64_t event = 0;  // packed: of the device event suppression area
  // Packed: where the front-end asks to have the ring logged besides (SET_VRING_ADDR with its flag); 0: nowhere. QEMU names
  // the event area there; others, like librte_vhost, mean the descriptors.
  uint64_t said = 0;

  void mark(uint64_t from, uint64_t length) const {
    if (log) [[unlikely]]
      log->mark(from, length);
  }
};

// An indirect table that lies across regions: a copy of it.
using TableCopy = std::array<std::byte, sizeof(wire::SplitDesc) * SegmentPool::kRoom>;
// False: a part of it lies in none. `entries` <= SegmentPool::kRoom.
bool copy_table(const GuestMap& map, uint64_t address, uint32_t entries, TableCopy& to);

// Adds [address, address + length) to `pool`, in as many parts as there are regions.
Fault append(const GuestMap& map, uint64_t address, uint32_t length, SegmentPool& pool);

}  // namespace testbed::ring
