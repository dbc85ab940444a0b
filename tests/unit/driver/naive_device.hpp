// A device that does everything in the slowest and plainest way, octet by octet from the specification's
// tables, sharing no line and no layout with the rings it is held against.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "emu/driver/memory/guest_memory.hpp"
#include "emu/driver/ring/chain.hpp"

namespace testbed::driver {

struct SeenSegment {
  uint64_t gpa;
  uint32_t length;
  bool write;
  bool operator==(const SeenSegment&) const = default;
};

struct SeenChain {
  uint16_t id = 0;     // what the device has to name when it is done
  uint16_t slots = 0;  // packed: descriptors it took on the ring
  std::vector<SeenSegment> segments;
};

class NaiveDevice {
 public:
  NaiveDevice(const GuestMemory& memory, const RingPlace& place, uint16_t size, bool packed, uint16_t first)
      : memory_(memory), place_(place), size_(size), packed_(packed), avail_(first), used_(first) {}

  // A device on another memory that stands where `other` does.
  NaiveDevice(const GuestMemory& memory, const NaiveDevice& other)
      : memory_(memory),
        place_(other.place_),
        size_(other.size_),
        packed_(other.packed_),
        avail_(other.avail_),
        used_(other.used_) {}

  // The next chain the driver made available.
  std::optional<SeenChain> next() { return packed_ ? next_packed() : next_split(); }
  // Gives one back. `skip`: packed, IN_ORDER: the slots of all chains this one stands for.
  void finish(const SeenChain& chain, uint32_t length, uint16_t skip = 0) {
    packed_ ? finish_packed(chain, length, skip ? skip : chain.slots) : finish_split(chain, length, 1);
  }
  // Split, IN_ORDER: one entry for `chains` chains, of which this is the last.
  void finish_batch(const SeenChain& last, uint32_t length, uint16_t chains) {
    finish_split(last, length, chains);
  }

  uint16_t used_position() const { return used_; }

 private:
  template <typename T>
  T read(uint64_t gpa) const {
    T value;
    std::memcpy(&value, memory_.at(gpa, sizeof value), sizeof value);
    return value;
  }
  template <typename T>
  void write(uint64_t gpa, T value) const {
    std::memcpy(memory_.at(gpa, sizeof value), &value, sizeof value);
  }

  std::optional<SeenChain> next_split() {
    if (read<uint16_t>(place_.available + 2) == avail_) return std::nullopt;
    SeenChain chain;
    chain.id = read<uint16_t>(place_.available + 4 + 2ull * (avail_ % size_));
    ++avail_;
    uint64_t at = place_.descriptors + 16ull * chain.id;
    if (read<uint16_t>(at + 12) & 4) {
      const uint64_t table = read<uint64_t>(at);
      for (uint32_t i = 0; i < read<uint32_t>(at + 8) / 16; ++i) add_segment(chain, table + 16 * i, 12);
      return chain;
    }
    for (;;) {
      add_segment(chain, at, 12);
      if (!(read<uint16_t>(at + 12) & 1)) return chain;
      at = place_.descriptors + 16ull * read<uint16_t>(at + 14);
    }
  }

  void finish_split(const SeenChain& chain, uint32_t length, uint16_t chains) {
    const uint64_t entry = place_.used + 4 + 8ull * (used_ % size_);
    write<uint32_t>(entry, chain.id);
    write<uint32_t>(entry + 4, length);
    used_ = static_cast<uint16_t>(used_ + chains);
    write<uint16_t>(place_.used + 2, used_);
  }

  std::optional<SeenChain> next_packed() {
    SeenChain chain;
    for (;;) {
      const uint64_t at = place_.descriptors + 16ull * (avail_ & 0x7fff);
      const uint16_t flags = read<uint16_t>(at + 14);
      const bool wrap = avail_ >> 15;
      const bool available = bool(flags & 0x80) == wrap && bool(flags & 0x8000) != wrap;
      if (!available) return std::nullopt;  // a chain's first slot is made available last
      if (flags & 4) {
        const uint64_t table = read<uint64_t>(at);
        for (uint32_t i = 0; i < read<uint32_t>(at + 8) / 16; ++i) add_segment(chain, table + 16 * i, 14);
      } else {
        add_segment(chain, at, 14);
      }
      chain.id = read<uint16_t>(at + 12);
      ++chain.slots;
      step(avail_, 1);
      if (!(flags & 1)) return chain;
    }
  }

  void finish_packed(const SeenChain& chain, uint32_t length, uint16_t skip) {
    const uint64_t at = place_.descriptors + 16ull * (used_ & 0x7fff);
    write<uint32_t>(at + 8, length);
    write<uint16_t>(at + 12, chain.id);
    write<uint16_t>(at + 14, static_cast<uint16_t>((length ? 2 : 0) | (used_ >> 15 ? 0x8080 : 0)));
    step(used_, skip);
  }

  void step(uint16_t& position, uint16_t count) const {
    for (uint16_t i = 0; i < count; ++i) {
      if ((position & 0x7fff) + 1 == size_)
        position = position & 0x8000 ? 0 : 0x8000;
      else
        ++position;
    }
  }

  void add_segment(SeenChain& chain, uint64_t at, uint64_t flags_at) const {
    chain.segments.push_back(
        {read<uint64_t>(at), read<uint32_t>(at + 8), (read<uint16_t>(at + flags_at) & 2) != 0});
  }

  const GuestMemory& memory_;
  RingPlace place_;
  uint16_t size_;
  bool packed_;
  uint16_t avail_, used_;
};

}  // namespace testbed::driver
