// A split ring's available and used parts, mapped by the gate for a moment while nobody walks the ring.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "vdev/gate/guest_memory.hpp"

namespace testbed::gate {

class SplitTail {
 public:
  // `where` has addresses in the front-end. nullopt: not in its memory; the back-end judges them, it will find the same.
  static std::optional<SplitTail> map(const GuestMemory& memory, const wire::VringAddr& where, uint16_t size);

  uint16_t used_index() const;
  // Gives the next `count` buffers back unused, in order. 0: fewer are available, so they are others.
  size_t give_back(uint16_t count);

 private:
  SplitTail(std::unique_ptr<MappedRange> available, std::unique_ptr<MappedRange> used, uint16_t size)
      : available_(std::move(available)), used_(std::move(used)), size_(size) {}

  std::unique_ptr<MappedRange> available_, used_;
  uint16_t size_;
};

}  // namespace testbed::gate
