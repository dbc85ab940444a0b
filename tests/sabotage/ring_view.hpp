// The device's half of a virtqueue, split or packed, in the memory that the frontend shares.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/sabotage/shared.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::sabotage {

class RingView {
 public:
  // nullopt: the ring is not there (yet).
  static std::optional<RingView> of(const Shared& shared, uint16_t vring);

  // Where the next buffer will be given back: split, the used index; packed, the slot with the wrap counter.
  // A packed ring's descriptors tell the lengths of buffers only until these are used: as posted from there
  // on.
  struct Mark {
    uint16_t position = 0;
    std::array<uint32_t, 64> posted{};
  };
  Mark mark() const;

  // A buffer that was given back: its first segment as the driver posted it, and what the device said of it.
  struct Buffer {
    uint64_t address;
    uint32_t capacity;
    uint32_t* used_length;
  };
  std::vector<Buffer> given_back_since(const Mark& mark) const;

  // Split rings only. Gives the buffer that came last back once more, and moves the ring on by it.
  bool repeat_last();
  // Split rings of librte_vhost only: ours have one position for what is taken and what is given back. Has the driver
  // made a buffer available that the device has not taken?
  bool has_next() const;
  // After has_next(): that buffer will never come back.
  bool skip_next();

 private:
  RingView(const Shared& shared, uint16_t vring, bool packed)
      : shared_(shared), vring_(vring), packed_(packed) {}
  uint16_t size() const { return shared_.rings[vring_].size; }
  uint16_t position() const;
  wire::SplitUsed* used() const;
  wire::SplitUsedElement* used_element(uint16_t index) const;
  std::optional<Buffer> split_buffer(uint16_t index) const;
  wire::PackedDesc* packed_slot(uint16_t slot) const;

  const Shared& shared_;
  uint16_t vring_;
  bool packed_;
};

}  // namespace testbed::sabotage
