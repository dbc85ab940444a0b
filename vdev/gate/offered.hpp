// What is offered to guests on either datapath, and what both make of it.
#pragma once

#include <cstdint>

#include "vdev/wire/vhost_user.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::gate {

template <typename... Bits>
constexpr uint64_t bits(Bits... all) {
  return (bit(all) | ...);
}

inline constexpr uint64_t kFeatures =
    bits(wire::Feature::NET_MRG_RXBUF, wire::Feature::VERSION_1, wire::Feature::RING_PACKED,
         wire::Feature::IN_ORDER, wire::Feature::RING_INDIRECT_DESC, wire::Feature::RING_EVENT_IDX,
         wire::Feature::NET_MQ, wire::Feature::NET_MTU, wire::Feature::NET_GUEST_ANNOUNCE,
         wire::Feature::NET_CTRL_VQ, wire::Feature::NET_CTRL_RX, wire::Feature::ANY_LAYOUT,
         wire::Feature::LOG_ALL, wire::Feature::PROTOCOL_FEATURES);

// Not CRYPTO_SESSION and HOST_NOTIFIER, which belong to other devices; not PAGEFAULT, because a worker would hang in a
// page fault while the memory travels.
inline constexpr uint64_t kProtocolFeatures =
    bits(wire::ProtocolFeature::MQ, wire::ProtocolFeature::LOG_SHMFD, wire::ProtocolFeature::RARP,
         wire::ProtocolFeature::REPLY_ACK, wire::ProtocolFeature::MTU, wire::ProtocolFeature::BACKEND_REQ,
         wire::ProtocolFeature::BACKEND_SEND_FD, wire::ProtocolFeature::STATUS);

// What a frame may have beyond the MTU: Ethernet header and a VLAN tag.
inline constexpr uint32_t kFrameOverhead = 18;

}  // namespace testbed::gate
