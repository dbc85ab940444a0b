// The receiving half of a packet socket: a TPACKET_V2 ring shared with the kernel (Linux:
// Documentation/networking/ packet_mmap.rst). Frames are read where the kernel put them, without a system
// call while there are any.
//
// Not TPACKET_V3: its blocks are handed over when they are full or a timer ends, which adds milliseconds to
// every latency.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::guest {

// What the rings of one interface have in common.
struct RingLayout {
  int interface = 0;          // index
  uint32_t max_frame = 1514;  // octets, without FCS
  uint16_t rings = 1;         // members of the fanout group
  uint16_t group = 1;         // its number: one per interface and opening
};

class PacketRing {
 public:
  PacketRing(PacketRing&& other) noexcept;
  PacketRing& operator=(PacketRing&&) = delete;
  ~PacketRing();

  // Joins the fanout group (by receive queue) of the interface, promiscuous, without what the guest itself
  // sends.
  static Result<PacketRing> open(const RingLayout& layout);

  int fd() const { return socket_.get(); }
  // Lends up to `count` frames, in order; each must be released, in order, before the next call.
  uint16_t receive(flow::Frame* frames, uint16_t count);
  void release(const flow::Frame* frames, uint16_t count);
  // Frames the kernel had no room for, since the last call.
  uint32_t take_drops();

 private:
  PacketRing() = default;
  uint8_t* slot(uint32_t index) const { return memory_ + static_cast<size_t>(index) * slot_size_; }

  Fd socket_;
  uint8_t* memory_ = nullptr;
  uint32_t slot_size_ = 0, slots_ = 0, next_ = 0;
};

}  // namespace testbed::guest
