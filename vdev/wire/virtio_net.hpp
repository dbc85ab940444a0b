// The header before every frame on a virtqueue: Virtio 1.2, section 5.1.6.
#pragma once

#include <cstdint>

namespace testbed::wire {

inline constexpr uint8_t kNetNeedsChecksum = 1;
inline constexpr uint8_t kGsoNone = 0, kGsoTcp4 = 1, kGsoTcp6 = 4;

struct VirtioNetHeader {
  uint8_t flags;     // kNetNeedsChecksum; 2: data_valid
  uint8_t gso_type;  // kGso...; 0x80: with ECN
  uint16_t header_length;
  uint16_t gso_size;
  uint16_t csum_start;
  uint16_t csum_offset;
};
static_assert(sizeof(VirtioNetHeader) == 10);

// With MRG_RXBUF, VERSION_1 or RING_PACKED; without any of them the header ends before num_buffers.
struct VirtioNetHeaderMergeable {
  VirtioNetHeader header;
  uint16_t buffers;
};
static_assert(sizeof(VirtioNetHeaderMergeable) == 12);

}  // namespace testbed::wire
