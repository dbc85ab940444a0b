// The virtio header before a frame (Virtio 1.2, 5.1.6) and what a packet says of itself.
#pragma once

#include "core/graph/port.hpp"
#include "vdev/wire/virtio_net.hpp"

namespace testbed::ring {

// What `header`, already copied, asks for goes into `packet`, whose head is there. False: it asks for what was not
// negotiated, or what the frame does not allow. The checksum's place lies in the head.
bool read_offload(const wire::VirtioNetHeader& header, const Port::Takes& gives, Packet& packet);

// The header for an unfinished packet. False: the guest does not take it so.
bool write_offload(const Packet& packet, const Port::Takes& takes, wire::VirtioNetHeader& header);

}  // namespace testbed::ring
