#include "emu/driver/net/tx_queue.hpp"

#include <array>

#include "emu/driver/net/segments.hpp"
#include "vdev/wire/virtio_net.hpp"

namespace testbed::driver {

void TxQueue::reclaim() {
  std::array<UsedChain, 64> used;
  while (const uint16_t count = ring_->take(used)) {
    for (uint16_t i = 0; i < count; ++i) {
      note(used[i]);
      if (used[i].raw) note_raw(used[i]);
    }
    if (count < used.size()) break;
  }
}

uint16_t TxQueue::reserve(flow::Frame* frames, uint16_t count) {
  reclaim();
  uint16_t reserved = 0;
  for (; reserved < count; ++reserved) {
    const size_t segments = Segments::count(header_.length + frames[reserved].length, spec_.tx_cut);
    const auto token = ring_->acquire(ring_->descriptors_for(segments));
    if (!token) break;
    frames[reserved].data = slot(*token) + header_.length;
    frames[reserved].handle = reinterpret_cast<void*>(uintptr_t{*token});
  }
  return reserved;
}

void TxQueue::send(const flow::Frame* frames, uint16_t count) {
  static constexpr wire::VirtioNetHeaderMergeable kHeader{};  // no offload: all zero (5.1.6.2)
  for (uint16_t i = 0; i < count; ++i) {
    const auto token = static_cast<uint16_t>(reinterpret_cast<uintptr_t>(frames[i].handle));
    memory_.copy_in(slot(token), &kHeader, header_.length);
    memory_.written(frames[i].data, frames[i].length);
    ring_->add(token,
               Segments(layout_.slots[token], header_.length + frames[i].length, spec_.tx_cut, false).all());
  }
  publish_and_kick();
}

}  // namespace testbed::driver
