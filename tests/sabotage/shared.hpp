// What a session's frontend shares with the switch, mapped once more: guest memory, rings, dirty log, calls.
// A saboteur writes here what the switch itself would not, whatever datapath is at work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/fd.hpp"
#include "vdev/gate/guest_memory.hpp"
#include "vdev/gate/message.hpp"
#include "vdev/ring/session_view.hpp"

namespace testbed::sabotage {

struct Shared {
  struct Region {
    wire::MemoryRegion where;
    std::shared_ptr<gate::MappedRange> memory;
  };
  struct Ring {
    uint16_t size = 0;
    std::optional<wire::VringAddr> address;
    std::shared_ptr<Fd> call;
  };
  struct Log {
    std::shared_ptr<gate::MappedRange> memory;
    size_t bytes = 0;
  };

  // Who walks the rings, and knows where they stand: librte_vhost, by its number of the device, or we; else -1, nullptr.
  int vid = -1;
  std::vector<ring::Walk>* walks = nullptr;
  uint64_t features = 0;
  std::vector<Region> regions;
  std::vector<Ring> rings;  // by vring
  Log log;

  // nullptr: not whole in one region.
  std::byte* at_guest(uint64_t address, size_t length) const;
  std::byte* at_user(uint64_t address, size_t length) const;
  std::span<std::byte> log_bits() const {
    return log.memory ? std::span(log.memory->begin(), log.bytes) : std::span<std::byte>();
  }

  // What a request of the frontend says about it.
  void take(const gate::Message& message);
};

}  // namespace testbed::sabotage
