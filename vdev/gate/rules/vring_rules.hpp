// SET_VRING_NUM, _ADDR, _BASE, _KICK and _ENABLE: what a ring is made of, and that nothing of it changes
// while it runs. A front-end may send the parts in any order; what depends on several of them is checked when
// the last one comes.
#pragma once

#include "vdev/gate/message.hpp"
#include "vdev/gate/refusal.hpp"
#include "vdev/gate/rules/said.hpp"

namespace testbed::gate {

inline constexpr uint32_t kMaxRingSize = 32768;  // Virtio 1.2, 2.7 and 2.8

// A message about a virtqueue that the port has.
Verdict check_vring(const Message& message, const Said& said);

// All of a complete ring: its size, its position, where it lies.
Verdict check_ring(size_t index, const Said& said);

}  // namespace testbed::gate
