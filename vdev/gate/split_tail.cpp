#include "vdev/gate/split_tail.hpp"

#include <atomic>

#include "vdev/wire/virtqueue.hpp"

namespace testbed::gate {
namespace {

using wire::SplitAvail;
using wire::SplitUsed;
using wire::SplitUsedElement;

template <typename Part>
Part* part(const std::unique_ptr<MappedRange>& range) {
  return reinterpret_cast<Part*>(range->begin());
}

}  // namespace

std::optional<SplitTail> SplitTail::map(const GuestMemory& memory, const wire::VringAddr& where, uint16_t size) {
  if (where.used % alignof(SplitUsedElement) != 0 || where.available % alignof(SplitAvail) != 0)
    return std::nullopt;
  auto available = memory.map(where.available, sizeof(SplitAvail) + sizeof(uint16_t) * size);
  auto used = memory.map(where.used, sizeof(SplitUsed) + sizeof(SplitUsedElement) * size);
  if (!available || !used) return std::nullopt;
  return SplitTail(std::move(*available), std::move(*used), size);
}

uint16_t SplitTail::used_index() const {
  return std::atomic_ref(part<SplitUsed>(used_)->index).load(std::memory_order_acquire);
}

size_t SplitTail::give_back(uint16_t count) {
  SplitUsed* const used = part<SplitUsed>(used_);
  SplitAvail* const available = part<SplitAvail>(available_);
  const uint16_t from = used_index();
  const auto waiting = static_cast<uint16_t>(
      std::atomic_ref(available->index).load(std::memory_order_acquire) - from);
  if (waiting < count || waiting > size_) return 0;
  const auto* heads = reinterpret_cast<const uint16_t*>(available + 1);
  auto* elements = reinterpret_cast<SplitUsedElement*>(used + 1);
  for (uint16_t i = 0; i < count; ++i) {
    const auto at = static_cast<uint16_t>(from + i) % size_;
    elements[at] = {heads[at], 0};
  }
  std::atomic_ref(used->index).store(static_cast<uint16_t>(from + count), std::memory_order_release);
  return count;
}

}  // namespace testbed::gate
