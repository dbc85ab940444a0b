// The geometry of a packed ring: slots, laps, and where the driver stands. Reads a copy of the descriptors.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "vdev/gate/packed_resume.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::gate {

inline bool lap_of(DescWord word) {
  return (word.flags & wire::kPackedAvail) != 0;
}
// The first slot of a buffer that the device gave back in the lap in which the driver wrote it.
inline bool given_back(DescWord word) {
  return lap_of(word) == ((word.flags & wire::kPackedUsed) != 0);
}

// Slots of the chain that begins `from` slots after `start`, as `word_at` shows it; no further than `limit`.
template <typename WordAt>
uint32_t chain_length(WordAt word_at, uint32_t from, uint32_t limit) {
  uint32_t length = 1;
  while (from + length < limit && (word_at(from + length - 1).flags & wire::kDescNext)) ++length;
  return length;
}

// Slots of one ring counted on a circle of two laps: 0..size-1 with wrap counter 1, size..2*size-1 with 0.
class PackedCircle {
 public:
  explicit PackedCircle(std::span<const DescWord> words)
      : words_(words), size_(static_cast<uint32_t>(words.size())) {}

  uint32_t size() const { return size_; }
  uint32_t slot(uint32_t spot) const { return spot % size_; }
  bool lap(uint32_t spot) const { return spot % (2 * size_) < size_; }
  uint32_t ahead(uint32_t spot, uint32_t by) const { return (spot + by) % (2 * size_); }
  uint32_t behind(uint32_t spot, uint32_t by) const {
    return (spot + 2 * size_ - by % (2 * size_)) % (2 * size_);
  }
  uint32_t distance(uint32_t from, uint32_t to) const { return (to + 2 * size_ - from) % (2 * size_); }
  DescWord word(uint32_t spot) const { return words_[slot(spot)]; }

  std::optional<uint32_t> spot_of(uint16_t position) const {
    const uint32_t at = position & ~wire::kPositionWrap;
    if (at >= size_) return std::nullopt;
    return (position & wire::kPositionWrap) ? at : at + size_;
  }
  uint16_t position(uint32_t spot) const {
    return static_cast<uint16_t>(slot(spot) | (lap(spot) ? wire::kPositionWrap : 0));
  }
  // Where the driver writes next: the one place where the lap flips. nullopt: no driver wrote this.
  std::optional<uint32_t> driver() const {
    const bool newest = lap_of(words_[0]);
    uint32_t at = 1;
    while (at < size_ && lap_of(words_[at]) == newest) ++at;
    for (uint32_t i = at; i < size_; ++i)
      if (lap_of(words_[i]) == newest) return std::nullopt;
    return ahead(newest ? 0 : size_, at);
  }

 private:
  std::span<const DescWord> words_;
  uint32_t size_;
};

}  // namespace testbed::gate
