// Buffers of a transmit queue that somebody else gave back out of turn.
#pragma once

#include "vdev/gate/packed_circle.hpp"

namespace testbed::gate {

// What was given back between the position in `point` and the driver's was not by the device that stops
// there. While its back-end is away QEMU serves the transmit queues itself, from a stale position, and throws
// away what it finds (virtqueue_drop_all). The driver looks at slots in order and has not come there yet; a
// device that comes there would wait for ever. So these buffers are made available again, without octets,
// because their lengths have been overwritten: the device discards them and gives them back in their turn.
// Adds to `point.restores`.
void take_back_strays(const PackedCircle& ring, uint32_t driver, ResumePoint& point);

}  // namespace testbed::gate
