#include "tests/sabotage/ring_view.hpp"

#include <rte_vhost.h>

#include <atomic>

#include "vdev/wire/virtio_features.hpp"

namespace testbed::sabotage {

using wire::Feature;

std::optional<RingView> RingView::of(const Shared& shared, uint16_t vring) {
  if (vring >= shared.rings.size() || (shared.vid < 0 && shared.walks == nullptr)) return std::nullopt;
  const Shared::Ring& ring = shared.rings[vring];
  if (!ring.address || ring.size == 0) return std::nullopt;
  const bool packed = (shared.features & bit(Feature::RING_PACKED)) != 0;
  const size_t table = size_t{16} * ring.size;
  const size_t used = packed ? sizeof(wire::PackedEvent) : sizeof(wire::SplitUsed) + size_t{8} * ring.size;
  if (shared.at_user(ring.address->descriptor, table) == nullptr ||
      shared.at_user(ring.address->used, used) == nullptr)
    return std::nullopt;
  return RingView(shared, vring, packed);
}

wire::SplitUsed* RingView::used() const {
  const uint64_t address = shared_.rings[vring_].address->used;
  return reinterpret_cast<wire::SplitUsed*>(
      shared_.at_user(address, sizeof(wire::SplitUsed) + size_t{8} * size()));
}

wire::SplitUsedElement* RingView::used_element(uint16_t index) const {
  return reinterpret_cast<wire::SplitUsedElement*>(used() + 1) + index % size();
}

uint16_t RingView::position() const {
  if (!packed_) return std::atomic_ref(used()->index).load(std::memory_order_acquire);
  if (shared_.walks != nullptr) return ring::PackedRing::position((*shared_.walks)[vring_].packed);
  uint16_t available = 0, used_position = 0;
  rte_vhost_get_vring_base(shared_.vid, vring_, &available, &used_position);
  return used_position;
}

std::optional<RingView::Buffer> RingView::split_buffer(uint16_t index) const {
  wire::SplitUsedElement* element = used_element(index);
  if (element->id >= size()) return std::nullopt;
  const uint64_t table = shared_.rings[vring_].address->descriptor;
  const auto* descriptor =
      reinterpret_cast<const wire::SplitDesc*>(shared_.at_user(table, size_t{16} * size())) + element->id;
  if ((descriptor->flags & wire::kDescIndirect) != 0) return std::nullopt;
  return Buffer{descriptor->address, descriptor->length, &element->length};
}

wire::PackedDesc* RingView::packed_slot(uint16_t slot) const {
  const uint64_t table = shared_.rings[vring_].address->descriptor;
  return reinterpret_cast<wire::PackedDesc*>(shared_.at_user(table, size_t{16} * size())) + slot % size();
}

RingView::Mark RingView::mark() const {
  Mark mark{.position = position()};
  const unsigned first = mark.position & ~wire::kPositionWrap;
  for (unsigned i = 0; packed_ && i < mark.posted.size(); ++i)
    mark.posted[i] = packed_slot(static_cast<uint16_t>((first + i) % size()))->length;
  return mark;
}

std::vector<RingView::Buffer> RingView::given_back_since(const Mark& mark) const {
  std::vector<Buffer> all;
  const uint16_t now = position();
  if (!packed_) {
    for (uint16_t index = mark.position; index != now; ++index)
      if (const auto buffer = split_buffer(index)) all.push_back(*buffer);
    return all;
  }
  const unsigned first = mark.position & ~wire::kPositionWrap, to = now & ~wire::kPositionWrap;
  for (unsigned i = 0; i < mark.posted.size() && (first + i) % size() != to; ++i) {
    wire::PackedDesc* slot = packed_slot(static_cast<uint16_t>((first + i) % size()));
    all.push_back({slot->address, mark.posted[i], &slot->length});
  }
  return all;
}

bool RingView::repeat_last() {
  if (packed_) return false;
  const uint16_t now = position();
  uint16_t available = 0, position = 0;
  const bool ours = shared_.walks != nullptr;
  if (now == 0 || (!ours && rte_vhost_get_vring_base(shared_.vid, vring_, &available, &position) != 0)) return false;
  *used_element(now) = *used_element(static_cast<uint16_t>(now - 1));
  std::atomic_ref(used()->index).store(static_cast<uint16_t>(now + 1), std::memory_order_release);
  if (ours) {
    (*shared_.walks)[vring_].split.next = static_cast<uint16_t>(now + 1);
    return true;
  }
  return rte_vhost_set_vring_base(shared_.vid, vring_, available, static_cast<uint16_t>(position + 1)) == 0;
}

bool RingView::has_next() const {
  uint16_t taken = 0, position = 0;
  if (packed_ || shared_.vid < 0 || rte_vhost_get_vring_base(shared_.vid, vring_, &taken, &position) != 0) return false;
  const uint64_t address = shared_.rings[vring_].address->available;
  auto* available = reinterpret_cast<wire::SplitAvail*>(shared_.at_user(address, sizeof(wire::SplitAvail)));
  return available != nullptr && std::atomic_ref(available->index).load(std::memory_order_acquire) != taken;
}

bool RingView::skip_next() {
  uint16_t taken = 0, position = 0;
  return rte_vhost_get_vring_base(shared_.vid, vring_, &taken, &position) == 0 &&
         rte_vhost_set_vring_base(shared_.vid, vring_, static_cast<uint16_t>(taken + 1), position) == 0;
}

}  // namespace testbed::sabotage
