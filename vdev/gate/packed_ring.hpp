// A packed ring in guest memory, mapped by the gate for as long as the queue runs: shared by the gate, which
// finds the position at its start, and the worker, which keeps the undo log. Both only look at descriptors'
// second words (length, id, flags) and the device event area.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/result.hpp"
#include "vdev/gate/guest_memory.hpp"
#include "vdev/gate/packed_resume.hpp"

namespace testbed::gate {

class PackedRing {
 public:
  // `descriptors` and `device_event` are addresses in the front-end. Errors as GuestMemory::map.
  static Result<std::shared_ptr<PackedRing>> map(const GuestMemory& memory, uint64_t descriptors,
                                                 uint64_t device_event, uint16_t size);

  uint16_t size() const { return size_; }

  // Any thread. One 64-bit load: a descriptor's second word is never seen half written.
  DescWord word(uint16_t slot) const {
    return std::atomic_ref(words()[2u * slot + 1]).load(std::memory_order_acquire);
  }
  // Is the slot at `position` (slot | wrap << 15) available to the device?
  bool available(uint16_t position) const {
    const uint16_t flags = word(position & ~wire::kPositionWrap).flags;
    const bool wrap = (position & wire::kPositionWrap) != 0;
    return ((flags & wire::kPackedAvail) != 0) == wrap && ((flags & wire::kPackedUsed) != 0) != wrap;
  }

  // A copy of all words, taken again until two in a row are equal: the driver may be at work, but with no
  // device to answer it soon has nothing left to do.
  std::vector<DescWord> snapshot() const;
  // False when the driver was faster: the word is no longer what was expected.
  bool apply(const Edit& edit);

  // The device event suppression area. A driver zeroes it when it makes the ring; who serves the ring marks
  // it, in the field that a driver reads only while the flags say "descriptor" (Virtio 1.2, 2.8.10).
  bool device_area_written() const;
  void mark_served();

 private:
  PackedRing(std::unique_ptr<MappedRange> ring, std::unique_ptr<MappedRange> event, uint16_t size)
      : ring_(std::move(ring)), event_(std::move(event)), size_(size) {}
  DescWord* words() const { return reinterpret_cast<DescWord*>(ring_->begin()); }
  wire::PackedEvent* event() const { return reinterpret_cast<wire::PackedEvent*>(event_->begin()); }

  std::unique_ptr<MappedRange> ring_;
  std::unique_ptr<MappedRange> event_;
  uint16_t size_;
};

}  // namespace testbed::gate
