#include "vdev/gate/packed_ring.hpp"

namespace testbed::gate {
namespace {

// Enough for a driver to fill its ring; one that never rests is hostile, and any position is as good as
// another.
constexpr int kSnapshots = 64;
constexpr uint16_t kServed = 0x7fff;

}  // namespace

Result<std::shared_ptr<PackedRing>> PackedRing::map(const GuestMemory& memory, uint64_t descriptors,
                                                    uint64_t device_event, uint16_t size) {
  if (size == 0 || size > wire::kMaxQueueSize || descriptors % alignof(DescWord) != 0 ||
      device_event % 4 != 0)
    return fail(Errc::protocol, "a packed virtqueue of " + std::to_string(size) + " slots, or not aligned");
  auto ring = memory.map(descriptors, size * sizeof(wire::PackedDesc));
  if (!ring) return tl::unexpected(ring.error());
  auto event = memory.map(device_event, sizeof(wire::PackedEvent));
  if (!event) return tl::unexpected(event.error());
  return std::shared_ptr<PackedRing>(new PackedRing(std::move(*ring), std::move(*event), size));
}

std::vector<DescWord> PackedRing::snapshot() const {
  const auto copy = [this] {
    std::vector<DescWord> all(size_);
    for (uint16_t slot = 0; slot < size_; ++slot) all[slot] = word(slot);
    return all;
  };
  std::vector<DescWord> last = copy();
  for (int i = 0; i < kSnapshots; ++i) {
    std::vector<DescWord> now = copy();
    if (now == last) break;
    last = std::move(now);
  }
  return last;
}

bool PackedRing::apply(const Edit& edit) {
  DescWord expected = edit.expected;
  return std::atomic_ref(words()[2u * edit.slot + 1])
      .compare_exchange_strong(expected, edit.desired, std::memory_order_acq_rel);
}

bool PackedRing::device_area_written() const {
  return std::atomic_ref(event()->flags).load(std::memory_order_relaxed) != 0 ||
         std::atomic_ref(event()->offset_wrap).load(std::memory_order_relaxed) != 0;
}

void PackedRing::mark_served() {
  if (!device_area_written()) std::atomic_ref(event()->offset_wrap).store(kServed, std::memory_order_relaxed);
}

}  // namespace testbed::gate
