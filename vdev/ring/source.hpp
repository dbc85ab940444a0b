// Taking frames out of a guest's transmit queue, without copying more of them than their heads. Split and packed rings
// differ in the ring only.
#pragma once

#include <rte_prefetch.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/graph/port.hpp"
#include "vdev/ring/copy.hpp"
#include "vdev/ring/frame.hpp"
#include "vdev/ring/guest_map.hpp"
#include "vdev/ring/net_header.hpp"

namespace testbed::ring {

// What all queues of a session have in common, as far as walking them goes.
struct Terms {
  const GuestMap* map = nullptr;
  const gate::DirtyLog* log = nullptr;  // nullptr: nothing is logged
  uint32_t longest = kLongestFrame;     // what the MTU allows into the guest
  uint16_t header = 12;                 // octets of the virtio header before a frame
  bool mergeable = false;
  Port::Takes gives, takes;  // what the guest may leave unfinished, and what it takes so
};

// What went wrong in a look at a ring: the last fault, and how many.
struct Faults {
  Fault last = Fault::none;
  uint16_t count = 0;
  uint16_t head = 0;  // id of the buffer

  void note(Fault fault, uint16_t id) {
    last = fault;
    head = id;
    ++count;
  }
};

template <typename Ring>
class Source {
 public:
  Source(const Ring& ring, typename Ring::Cursor& cursor, const Terms& terms, Scratch& scratch,
         gate::RingRecord& record)
      : ring_(ring), cursor_(cursor), terms_(terms), scratch_(scratch), record_(record) {}

  // At most kBurst frames. Buffers that cannot be followed are noted in `faults` and yield none; a ring that cannot
  // be is left as it is. give_back() comes once for each call after which scratch.taken is not 0.
  uint16_t take(Packet* packets, Faults& faults) {
    Fault fault = Fault::none;
    // Locals, because a frame's octets may be anything, as far as the compiler knows.
    Buffer* const buffers = scratch_.taken_buffers.data();
    std::array<const std::byte*, kBurst> at;
    // Headers that nobody will read stay where they are.
    const uint32_t skip = terms_.gives.checksum ? 0 : terms_.header;
    const auto locate = [&at, skip, where = Locator(*terms_.map, false)](uint16_t i, const Buffer& buffer) {
      at[i] = where(buffer);
      if (at[i] == nullptr) [[unlikely]]
        return;
      rte_prefetch0(at[i] + skip);
      rte_prefetch0(at[i] + skip + 52);
    };
    const uint16_t taken = ring_.peek(cursor_, buffers, kBurst, &record_, fault, locate);
    const uint32_t virtio = terms_.header;
    const bool offloads = terms_.gives.checksum;
    scratch_.taken = taken;
    if (fault != Fault::none) [[unlikely]]
      faults.note(fault, buffers[0].id);
    if (taken == 0) return 0;
    scratch_.taken_segments.clear();
    uint16_t count = offloads ? uint16_t{0} : take_plain(buffers, at.data(), taken, packets);
    uint16_t i = count;
    for (; i < taken; ++i) {
      Frame& frame = scratch_.frames[count];
      uint32_t length = buffers[i].length - virtio;
      wire::VirtioNetHeader header{};
      if (at[i] != nullptr && length <= kLongestFrame) [[likely]] {
        frame = {at[i] + virtio, length, 0, nullptr};
        if (offloads) std::memcpy(&header, at[i], sizeof header);
      } else {
        const uint32_t room = scratch_.taken_segments.used();
        const Fault wrong = gather(buffers[i], frame, length, header);
        if (wrong == Fault::chain && room > 0) break;  // perhaps only the room for its parts was too small
        if (wrong != Fault::none) {
          faults.note(wrong, buffers[i].id);
          continue;
        }
      }
      fill(packets[count], frame, length, scratch_.heads[count].data());
      if (offloads && (header.flags | header.gso_type) != 0)
        if (!read_offload(header, terms_.gives, packets[count])) {
          faults.note(Fault::offload, buffers[i].id);
          continue;
        }
      ++count;
    }
    scratch_.taken = i;
    ring_.claim(cursor_, record_, slots_of(buffers, i));
    return count;
  }

  void give_back() {
    static constexpr std::array<uint32_t, kBurst> kNothing{};
    ring_.give_back(cursor_, scratch_.taken_buffers.data(), kNothing.data(), scratch_.taken, &record_);
  }

 private:
  static uint16_t slots_of(const Buffer* buffers, uint16_t count) {
    if constexpr (!Ring::kChainsTakeSlots) return count;
    uint16_t slots = 0;
    for (uint16_t i = 0; i < count; ++i) slots = static_cast<uint16_t>(slots + buffers[i].slots);
    return slots;
  }

  // The usual case, frame by frame: one buffer, one region, nothing unfinished. Returns with the first that is another.
  uint16_t take_plain(const Buffer* buffers, const std::byte* const* at, uint16_t taken, Packet* packets) {
    const uint32_t virtio = terms_.header;
    Frame* const frames = scratch_.frames.data();
    auto* const heads = scratch_.heads.data();
    uint16_t i = 0;
    for (; i < taken; ++i) {
      const uint32_t length = buffers[i].length - virtio;
      if (at[i] == nullptr || length > kLongestFrame) [[unlikely]]
        break;
      const std::byte* const octets = at[i] + virtio;
      std::byte* const head = heads[i].data();
      uint32_t head_length = length;
      if (length > kHeadBytes) {  // else nobody asks what lies behind the head
        head_length = kHeadBytes;
        frames[i] = {octets, length, 0, nullptr};
      }
      copy_octets(head, octets, head_length);
      packets[i] = {.head = head,
                    .payload = &frames[i],
                    .length = length,
                    .head_length = static_cast<uint16_t>(head_length),
                    .kind = PayloadKind::guest,
                    .flags = 0};
    }
    return i;
  }

  // A frame in several parts. `length` 0: the buffer has no room for the virtio header, let alone a frame.
  Fault gather(const Buffer& buffer, Frame& frame, uint32_t& length, wire::VirtioNetHeader& header) {
    SegmentPool& pool = scratch_.taken_segments;
    const uint32_t first = pool.used();
    if (const Fault fault = ring_.walk(buffer, false, *terms_.map, pool); fault != Fault::none) return fault;
    uint64_t octets = 0;
    for (uint32_t i = first; i < pool.used(); ++i) octets += pool.from(i)->length;
    if (octets > kLongestFrame + terms_.header) return pool.cut(first), Fault::length;
    length = octets > terms_.header ? static_cast<uint32_t>(octets) - terms_.header : 0;
    frame = {nullptr, 0, 0, nullptr};
    if (length == 0) return Fault::none;
    const Frame whole{pool.from(first)->at, pool.from(first)->length, pool.used() - first - 1, pool.from(first + 1)};
    read_guest_frame(&whole, 0, reinterpret_cast<std::byte*>(&header), sizeof header);
    uint32_t skip = terms_.header, i = first;
    for (; skip >= pool.from(i)->length; ++i) skip -= pool.from(i)->length;
    frame = {pool.from(i)->at + skip, pool.from(i)->length - skip, pool.used() - i - 1, pool.from(i + 1)};
    return Fault::none;
  }

  static void fill(Packet& packet, Frame& frame, uint32_t length, std::byte* head) {
    const auto head_length = static_cast<uint16_t>(std::min<uint32_t>(length, kHeadBytes));
    if (frame.here >= head_length) [[likely]]
      copy_octets(head, frame.at, head_length);
    else
      read_guest_frame(&frame, 0, head, head_length);
    packet = {.head = head,
              .payload = &frame,
              .length = length,
              .head_length = head_length,
              .kind = PayloadKind::guest,
              .flags = 0};
  }

  const Ring& ring_;
  typename Ring::Cursor& cursor_;
  const Terms& terms_;
  Scratch& scratch_;
  gate::RingRecord& record_;
};

}  // namespace testbed::ring
