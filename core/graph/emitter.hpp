// Where a brick puts its packets. Collects them by member, so that each edge is followed once per burst;
// counts what the brick decided. One emitter per worker and depth of the graph; all its memory is there
// before the first packet.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "core/base/assert.hpp"
#include "core/graph/brick.hpp"
#include "core/graph/counters.hpp"
#include "core/graph/drop.hpp"
#include "core/graph/packet.hpp"

namespace testbed {

class Emitter {
 public:
  // `members`: one more than the highest member number of any brick that will use it.
  explicit Emitter(size_t members);

  // Executor: what follows is of a brick whose member numbers are below `limit`, with edges at those in
  // `connected`.
  void begin(size_t limit, std::span<const Member> connected) {
    limit_ = limit;
    connected_ = connected;
  }

  // -- What bricks call.
  void forward(Packet* packet, Member to) { forward(&packet, 1, to); }

  // At most kBurst packets go to one member in one burst: a packet is forwarded or flooded once.
  void forward(Packet* const* packets, uint16_t count, Member to) {
    if (to >= limit_) [[unlikely]] {  // attached after this worker's plan was made
      drops_[static_cast<size_t>(DropReason::unconnected)] += count;
      dropped_ = true;
      return;
    }
    append(packets, count, to);
    forwarded_ += count;
  }

  // To every attached member but `except`. Nobody there: the packet is dropped as no_destination.
  void flood(Packet* packet, Member except) {
    uint32_t copies = 0;
    for (const Member member : connected_) {
      if (member == except) continue;
      append(&packet, 1, member);
      ++copies;
    }
    if (copies == 0) return drop(packet, DropReason::no_destination);
    ++flooded_;
    replicated_ += copies - 1;
  }

  void drop(Packet* /*packet*/, DropReason reason) {
    ++drops_[static_cast<size_t>(reason)];
    dropped_ = true;
  }

  // -- What the executor calls after the brick has seen its burst.
  struct Slot {
    Member member;
    uint16_t count;
    std::array<Packet*, kBurst> packets;
  };
  std::span<const Slot> touched() const { return {slots_.get(), touched_}; }
  void account(BrickShard& counters);
  void clear() {
    for (uint32_t i = 0; i < touched_; ++i) slot_of_[slots_[i].member] = kNoSlot;
    touched_ = 0;
  }

 private:
  static constexpr uint16_t kNoSlot = 0xffff;

  void append(Packet* const* packets, uint16_t count, Member to) {
    uint16_t index = slot_of_[to];
    if (index == kNoSlot) {
      index = slot_of_[to] = static_cast<uint16_t>(touched_++);
      slots_[index].member = to;
      slots_[index].count = 0;
    }
    Slot& slot = slots_[index];
    TB_ASSERT(slot.count + count <= kBurst);
    for (uint16_t i = 0; i < count; ++i) slot.packets[slot.count + i] = packets[i];
    slot.count = static_cast<uint16_t>(slot.count + count);
  }

  std::span<const Member> connected_;
  size_t limit_ = 0;
  uint32_t touched_ = 0;
  uint32_t forwarded_ = 0, flooded_ = 0, replicated_ = 0;
  bool dropped_ = false;
  std::array<uint32_t, kDropReasons> drops_{};
  std::unique_ptr<uint16_t[]> slot_of_;  // by member
  std::unique_ptr<Slot[]> slots_;  // in the order they were touched: a small working set for a small burst
};

}  // namespace testbed
