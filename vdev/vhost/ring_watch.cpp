// The part of VhostPort that looks after rings which yield nothing: stuck ones, and disabled ones.
#include <rte_vhost.h>

#include "vdev/gate/describe.hpp"
#include "vdev/vhost/vhost_port.hpp"

namespace testbed::vhost {
void VhostPort::look_for_stuck_rings() {
  if (link_ == nullptr || session() == nullptr) return;
  for (uint16_t pair = 0; pair < queue_pairs_; ++pair) {
    if (detectors_[pair].look(look_at(pair)))
      environment_.events.emit("ring.stuck",
                               {{"port", name()}, {"session", session_id()}, {"queue", 2 * pair + 1}});
    watched_[pair].stuck.store(detectors_[pair].stuck(), std::memory_order_relaxed);
  }
}

// The view is there as long as the device cannot stop. The library's locks must not be waited for here:
// whoever holds them may be waiting to say that it stops.
std::optional<StuckDetector::Look> VhostPort::look_at(uint16_t pair) const {
  const auto vring = static_cast<uint16_t>(2 * pair + 1);
  const gate::Virtqueues& virtqueues = session()->virtqueues();
  const gate::Virtqueue& queue = virtqueues.queue(vring);
  StuckDetector::Look now{0, false, watched_[pair].in_vain.load(std::memory_order_relaxed)};
  bool walked = false;
  link_->while_running([&](const Device& device) {
    const SessionView* view = view_.load(std::memory_order_acquire);
    if (view == nullptr || !view->receive[pair].walked()) return;
    if (view->packed) {
      if (!queue.packed) return;
      now.position = memory_.ring(vring).state.load(std::memory_order_relaxed).position;
      now.waiting = queue.packed->available(now.position);
      walked = true;
    } else if (queue.address) {
      uint16_t used;
      const auto available = gate::split_index(virtqueues.guest_memory(), queue.address->available);
      if (!available || rte_vhost_get_vring_base(device.vid, vring, &now.position, &used) != 0) return;
      now.waiting = *available != now.position;
      walked = true;
    }
  });
  return walked ? std::optional(now) : std::nullopt;
}

void VhostPort::describe_queue(nlohmann::json& queue, uint16_t vring) const {
  if (vring % 2 == 0) return;
  queue["discarded"] = watched_[vring / 2].discarded.load(std::memory_order_relaxed);
  queue["stuck"] = detectors_[vring / 2].stuck();
}

}  // namespace testbed::vhost
