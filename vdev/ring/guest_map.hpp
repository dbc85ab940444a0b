// A session's guest memory, mapped for the workers: every region of its table, whole. Immutable; who holds it may use
// every address it gives out. A file that becomes shorter is met by gate/fault_guard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "vdev/gate/guest_memory.hpp"
#include "vdev/ring/buffer.hpp"

namespace testbed::ring {

class GuestMap {
 public:
  // Each region lies within its file (gate/rules/memory_rules.hpp). Errc::exhausted and the like: mmap refused.
  static Result<std::shared_ptr<const GuestMap>> map(std::span<const gate::GuestMemory::Region> table);
  ~GuestMap();
  GuestMap(const GuestMap&) = delete;
  GuestMap& operator=(const GuestMap&) = delete;

  // -- Hot: any worker. `length` octets at a guest-physical address; nullptr: not whole in one region.
  std::byte* at(uint64_t guest, uint32_t length) const { return largest_.at(guest, length, *this); }

  // The largest region, to be copied by who looks up many addresses: most buffers lie there.
  struct Largest {
    uint64_t guest = 0, size = 0;
    std::byte* base = nullptr;

    std::byte* at(uint64_t address, uint32_t length, const GuestMap& all) const {
      const uint64_t within = address - guest;
      if (within < size && length <= size - within) [[likely]]
        return base + within;
      return all.at_any(address, length);
    }
  };
  const Largest& largest() const { return largest_; }
  // What of [guest, guest + length) lies in the region in which it begins; empty: it begins in none.
  std::span<std::byte> from(uint64_t guest, uint32_t length) const;

  // -- Cold. The same for an address of the front-end's own, as rings have them.
  std::byte* at_user(uint64_t user, uint64_t length) const;
  std::optional<uint64_t> guest_of_user(uint64_t user) const;

 private:
  struct Region {
    uint64_t guest, size;
    std::byte* base;
    uint64_t user;
    void* mapping;
    size_t mapped;
  };
  GuestMap() = default;
  std::byte* at_any(uint64_t guest, uint32_t length) const;

  Largest largest_;
  std::vector<Region> regions_;
};

// Where the usual buffers of a queue lie: of one direction, one descriptor, whole in one region.
class Locator {
 public:
  // `map` outlives this.
  Locator(const GuestMap& map, bool writable) : map_(map), largest_(map.largest()), writable_(writable) {}

  // nullptr: a buffer of another kind.
  std::byte* operator()(const Buffer& buffer) const {
    if (!buffer.plain() || buffer.writable() != writable_) [[unlikely]]
      return nullptr;
    return largest_.at(buffer.address, buffer.length, map_);
  }

 private:
  const GuestMap& map_;
  const GuestMap::Largest largest_;
  const bool writable_;
};

}  // namespace testbed::ring
