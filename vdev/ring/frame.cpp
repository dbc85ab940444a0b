#include "vdev/ring/frame.hpp"

#include <algorithm>
#include <span>

#include "core/graph/keep.hpp"
#include "vdev/ring/copy.hpp"

namespace testbed::ring {

void read_guest_frame(const void* payload, uint32_t offset, std::byte* to, uint32_t length) {
  const auto& frame = *static_cast<const Frame*>(payload);
  for (uint32_t i = 0; length > 0 && i <= frame.more; ++i) {
    const std::span<const std::byte> part =
        i == 0 ? std::span(frame.at, frame.here)
               : std::span<const std::byte>(frame.rest[i - 1].at, frame.rest[i - 1].length);
    if (offset >= part.size()) {
      offset -= static_cast<uint32_t>(part.size());
      continue;
    }
    const auto now = std::min(length, static_cast<uint32_t>(part.size()) - offset);
    copy_octets(to, part.data() + offset, now);
    to += now;
    length -= now;
    offset = 0;
  }
}

void register_guest_frames() {
  set_payload_reader(PayloadKind::guest, read_guest_frame);
}

}  // namespace testbed::ring
