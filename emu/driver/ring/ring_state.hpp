// What a driver has to remember about a ring besides what lies in guest memory. It is kept in a file of its
// own, so that a driver killed at any instruction can be started again on the same guest memory: every update
// leaves a state from which the rings' recover() finds out what is outstanding. Order of stores matters only
// between instructions of one thread (the reader is a later process), so relaxed atomics that the compiler
// keeps in order are enough.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace testbed::driver {

struct ChainRecord {
  uint16_t position = 0;  // split: the available index it was published at; packed: slot and wrap counter
  uint16_t count = 0;     // descriptors on the ring
  uint8_t outstanding = 0;
  uint8_t raw = 0;
  uint16_t reserved = 0;
  uint32_t writable = 0;  // octets the device may write
};
static_assert(sizeof(ChainRecord) == 12);

class RingState {
 public:
  static constexpr uint32_t kMagic = 0x7b72696e;

  struct Header {
    uint32_t magic;
    uint16_t size;
    uint16_t packed;
    uint16_t consumed;  // split: used entries taken; packed: position of the next used descriptor
    uint16_t next;      // packed: position of the next descriptor to make available
    uint32_t reserved;
  };

  static size_t bytes(uint16_t size) {
    const size_t exact = sizeof(Header) + size * (sizeof(ChainRecord) + 2 * sizeof(uint16_t));
    return (exact + 63) & ~size_t{63};
  }

  RingState(uint8_t* memory, uint16_t size)
      : header_(reinterpret_cast<Header*>(memory)),
        records_(reinterpret_cast<ChainRecord*>(memory + sizeof(Header))),
        links_(reinterpret_cast<uint16_t*>(records_ + size)),
        order_(links_ + size) {}

  Header& header() { return *header_; }
  const Header& header() const { return *header_; }
  ChainRecord& record(uint16_t token) { return records_[token]; }
  const ChainRecord& record(uint16_t token) const { return records_[token]; }
  // Split: the descriptor after this one in its chain.
  uint16_t& link(uint16_t descriptor) { return links_[descriptor]; }
  // The token of the chain at a place of the ring (split: available index; packed: slot of its head).
  uint16_t& order(uint16_t place) { return order_[place]; }
  uint16_t order(uint16_t place) const { return order_[place]; }

  // A store that stays where it stands in the program.
  template <typename T>
  static void settle(T& where, T value) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::atomic_ref<T>(where).store(value, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

 private:
  Header* header_;
  ChainRecord* records_;
  uint16_t* links_;
  uint16_t* order_;
};

}  // namespace testbed::driver
