// The regions of a session's memory table, and short mappings of single ranges in them: rings that the gate
// looks at itself, beside whatever the back-end maps. Every mapping lies whole within its file at the time it
// is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"
#include "vdev/gate/message.hpp"

namespace testbed::gate {

class MappedRange {
 public:
  MappedRange(void* base, size_t length, std::byte* begin) : base_(base), length_(length), begin_(begin) {}
  ~MappedRange();
  MappedRange(const MappedRange&) = delete;
  MappedRange& operator=(const MappedRange&) = delete;

  std::byte* begin() const { return begin_; }

 private:
  void* base_;
  size_t length_;
  std::byte* begin_;
};

class GuestMemory {
 public:
  // Replaces the table by that of a SET_MEM_TABLE message, whose descriptors are duplicated. Errc::protocol:
  // the numbers of regions and descriptors differ, or there are too many.
  Result<void> set_table(const Message& message);

  // Maps `length` octets at `user_address` of the front-end. Errc::refused: not inside one region and its
  // file.
  Result<std::unique_ptr<MappedRange>> map(uint64_t user_address, size_t length) const;

  // Where an address of the front-end is for the guest. nullopt: in no region.
  std::optional<uint64_t> guest_address(uint64_t user_address) const;

  struct Region {
    wire::MemoryRegion where;
    Fd file;
  };
  std::span<const Region> regions() const { return regions_; }

 private:
  std::vector<Region> regions_;
};

}  // namespace testbed::gate
