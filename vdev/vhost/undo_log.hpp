// The worker's side of a RingRecord: before a burst on a packed ring, note the words that the library may
// overwrite; after it, where the library stands. Hot: some 2 cycles a packet.
#pragma once

#include <cstdint>

#include "vdev/gate/packed_ring.hpp"
#include "vdev/gate/ring_record.hpp"

namespace testbed::vhost {

// Logs the buffers available at the recorded position: until `buffers` of them with room for `octets` in all
// are noted, or the log is full. Returns how many whole buffers are logged; 0: none is available.
uint16_t begin_burst(const gate::PackedRing& ring, gate::RingRecord& record, uint16_t buffers,
                     uint32_t octets);

// The burst is complete; asks the library where it stands.
void end_burst(int vid, uint16_t vring, const gate::PackedRing& ring, gate::RingRecord& record);

}  // namespace testbed::vhost
