// Putting frames into a guest's receive queue: the one copy a payload gets between two guests. Split and packed rings
// differ in the ring only.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/graph/drop.hpp"
#include "core/graph/keep.hpp"
#include "vdev/ring/source.hpp"
#include "vdev/wire/virtio_net.hpp"

namespace testbed::ring {

template <typename Ring>
class Sink {
 public:
  Sink(const Ring& ring, typename Ring::Cursor& cursor, const Terms& terms, Scratch& scratch,
       gate::RingRecord& record)
      : ring_(ring), cursor_(cursor), terms_(terms), scratch_(scratch), record_(record) {}

  struct Outcome {
    uint16_t sent = 0;  // frames
    DropReason reason = DropReason::ring_full;
    bool more = false;  // only the frame after the last one sent was refused
  };
  // Publishes what it wrote before it returns.
  Outcome put(Packet* const* packets, uint16_t count, Faults& faults) {
    Outcome outcome;
    uint16_t most = count;
    while (outcome.sent < count) {
      Fault fault = Fault::none;
      const auto locate = [at = scratch_.put_at.data(), headers_stay = cursor_.headers_stay,
                           where = Locator(*terms_.map, true)](uint16_t i, const Buffer& buffer) {
        at[i] = where(buffer);
        if (at[i] == nullptr) [[unlikely]]
          return;
        if (headers_stay)
          rte_prefetch0(at[i]);
        else
          prefetch_write(at[i]);
        prefetch_write(at[i] + 64);
      };
      const uint16_t waiting = ring_.peek(cursor_, scratch_.put_buffers.data(), most, &record_, fault, locate);
      if (fault != Fault::none) [[unlikely]]
        faults.note(fault, scratch_.put_buffers[0].id);
      if (waiting == 0) break;
      used_ = 0;
      outcome.more = false;
      const uint16_t sent = fill(packets + outcome.sent, static_cast<uint16_t>(count - outcome.sent), waiting,
                                 outcome, faults);
      if (used_ > 0) give_back();
      outcome.sent = static_cast<uint16_t>(outcome.sent + sent);
      if (outcome.more) break;
      if (used_ == 0 && most == kBuffers) {  // they do not suffice for one frame
        if (ring_.exhausted(cursor_, scratch_.put_buffers.data(), waiting))
          refuse(outcome, 0, DropReason::too_big);
        break;
      }
      most = used_ == 0 ? kBuffers : static_cast<uint16_t>(count - outcome.sent);
    }
    return outcome;
  }

 private:
  static constexpr wire::VirtioNetHeaderMergeable kHeader{{}, 1};

  // Fills the buffers that were peeked at, from the first; returns how many frames went into them.
  uint16_t fill(Packet* const* packets, uint16_t count, uint16_t waiting, Outcome& outcome, Faults& faults) {
    const uint16_t ahead = std::min(count, waiting);
    uint16_t sent = fill_plain(packets, ahead);
    used_ = sent;
    for (; sent < count && used_ < waiting; ++sent) {
      const Packet& packet = *packets[sent];
      if (packet.length > terms_.longest && packet.unfinished.cut == Unfinished::Cut::none) [[unlikely]]
        return refuse(outcome, sent, DropReason::too_big);
      if (packet.flags != 0) [[unlikely]] {
        header_ = kHeader;
        if (!write_offload(packet, terms_.takes, header_.header))
          return refuse(outcome, sent, DropReason::bad_offload);
      }
      const uint32_t need = terms_.header + packet.length;
      const Buffer& buffer = scratch_.put_buffers[used_];
      if (used_ < ahead && scratch_.put_at[used_] != nullptr && buffer.length >= need) [[likely]] {
        write_whole(scratch_.put_at[used_], packet);
        if (terms_.log) [[unlikely]]
          terms_.log->mark(buffer.address, need);
        scratch_.put_lengths[used_++] = need;
        continue;
      }
      switch (scatter(packet, need, waiting, faults)) {
        case Scattered::written:
          continue;
        case Scattered::too_few:
          return sent;
        case Scattered::too_small:
          return refuse(outcome, sent, DropReason::too_big);
      }
    }
    return sent;
  }

  static uint16_t refuse(Outcome& outcome, uint16_t sent, DropReason reason) {
    outcome.reason = reason;
    outcome.more = true;
    return sent;
  }

  // The usual case, frame by frame: one buffer, one region, nothing to log. Returns with the first frame that is another.
  uint16_t fill_plain(Packet* const* packets, uint16_t count) const {
    if (terms_.log != nullptr || terms_.header != sizeof kHeader) return 0;
    const Buffer* const buffers = scratch_.put_buffers.data();
    std::byte* const* const at = scratch_.put_at.data();
    uint32_t* const lengths = scratch_.put_lengths.data();
    const uint32_t longest = terms_.longest;
    uint16_t i = 0, written = 0;
    for (; i < count; ++i) {
      const Packet& packet = *packets[i];
      const uint32_t need = sizeof kHeader + packet.length;
      if (at[i] == nullptr || buffers[i].length < need || packet.flags != 0 || packet.length > longest) [[unlikely]]
        break;
      // What already says the same is only read: then its line may stay with both CPUs.
      if (std::memcmp(at[i], &kHeader, sizeof kHeader) != 0) {
        std::memcpy(at[i], &kHeader, sizeof kHeader);
        ++written;
      }
      write_frame(at[i] + sizeof kHeader, packet);
      lengths[i] = need;
    }
    cursor_.headers_stay = 2 * written <= i;
    return i;
  }

  void write_whole(std::byte* to, const Packet& packet) const {
    if (packet.flags != 0) [[unlikely]]
      std::memcpy(to, &header_, terms_.header);
    else if (terms_.header == sizeof kHeader) [[likely]]
      std::memcpy(to, &kHeader, sizeof kHeader);
    else
      std::memcpy(to, &kHeader, sizeof(wire::VirtioNetHeader));
    write_frame(to + terms_.header, packet);
  }

  static void write_frame(std::byte* to, const Packet& packet) {
    copy_octets(to, packet.head, packet.head_length);
    const uint32_t rest = packet.length - packet.head_length;
    if (rest == 0) return;
    const auto* frame = static_cast<const Frame*>(packet.payload);
    if (packet.kind == PayloadKind::guest && frame->more == 0) [[likely]]
      copy_octets(to + packet.head_length, frame->at + packet.head_length, rest);
    else
      read_frame(packet, packet.head_length, to + packet.head_length, rest);
  }

  // -- Buffers of several parts, and frames over several buffers
  enum class Scattered : uint8_t { written, too_few, too_small };

  Scattered scatter(const Packet& packet, uint32_t need, uint16_t waiting, Faults& faults) {
    SegmentPool& pool = scratch_.put_segments;
    pool.clear();
    uint16_t last = used_, parts = 0;
    uint64_t room = 0;
    for (; last < waiting && room < need; ++last) {
      const Buffer& buffer = scratch_.put_buffers[last];
      uint32_t first = pool.used();
      Fault fault = ring_.walk(buffer, true, *terms_.map, pool);
      if (fault == Fault::chain && first > 0) [[unlikely]] {
        // Too many parts of its own, or did those before it leave no room for them?
        pool.clear();
        first = 0;
        fault = ring_.walk(buffer, true, *terms_.map, pool);
        if (fault == Fault::none) return Scattered::too_small;
      }
      uint64_t octets = 0;
      for (uint32_t i = first; i < pool.used(); ++i) octets += pool.from(i)->length;
      if (fault == Fault::none && octets < terms_.header) fault = Fault::length;
      scratch_.put_lengths[last] = 0;
      if (fault != Fault::none) {
        // Given back as it is. The buffers of a frame follow each other, so those before it are given back too.
        faults.note(fault, buffer.id);
        for (; used_ < last; ++used_) scratch_.put_lengths[used_] = 0;
        used_ = static_cast<uint16_t>(last + 1);
        pool.clear();
        room = parts = 0;
        continue;
      }
      if (!terms_.mergeable && octets < need) return Scattered::too_small;
      scratch_.put_lengths[last] = static_cast<uint32_t>(std::min<uint64_t>(octets, need - room));
      room += octets;
      ++parts;
    }
    if (room < need) return Scattered::too_few;
    used_ = last;
    write_scattered(packet, need, parts);
    return Scattered::written;
  }

  void write_scattered(const Packet& packet, uint32_t need, uint16_t buffers) const {
    wire::VirtioNetHeaderMergeable header = packet.flags != 0 ? header_ : kHeader;
    header.buffers = buffers;
    uint32_t done = 0;
    for (uint32_t i = 0; done < need; ++i) {
      const Segment& segment = *scratch_.put_segments.from(i);
      const uint32_t here = std::min(segment.length, need - done);
      uint32_t filled = 0;
      if (done < terms_.header) {
        filled = std::min<uint32_t>(here, terms_.header - done);
        std::memcpy(segment.at, reinterpret_cast<const std::byte*>(&header) + done, filled);
      }
      if (filled < here) read_frame(packet, done + filled - terms_.header, segment.at + filled, here - filled);
      if (terms_.log) terms_.log->mark(segment.guest, here);
      done += here;
    }
  }

  void give_back() {
    uint16_t slots = 0;
    for (uint16_t i = 0; i < used_; ++i) slots = static_cast<uint16_t>(slots + scratch_.put_buffers[i].slots);
    ring_.prepare(cursor_, record_, slots);
    ring_.give_back(cursor_, scratch_.put_buffers.data(), scratch_.put_lengths.data(), used_, &record_);
  }

  const Ring& ring_;
  typename Ring::Cursor& cursor_;
  const Terms& terms_;
  Scratch& scratch_;
  gate::RingRecord& record_;
  uint16_t used_ = 0;
  wire::VirtioNetHeaderMergeable header_{};  // of the unfinished frame in hand
};

}  // namespace testbed::ring
