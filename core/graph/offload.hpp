// Finishing what a sending guest has left to others: checksums, and the cutting of TCP segments into frames. For the ways
// on which nobody takes packets unfinished; between guests that do nothing of this runs.
//
// Headers are read and written in the packet's head, which is the worker's own. RFC 793 (TCP), 791 and 8200 (IP), 1071 (the
// checksum), and Virtio 1.2, 5.1.6.2 (what is already there: the pseudo header's sum).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/graph/packet.hpp"

namespace testbed {

// False: the headers do not allow it, the packet is as it was. True: the packet is finished.
bool finish_checksum(Packet& packet);

// Cuts one packet after the other. All memory is there before the first.
class Segmenter {
 public:
  Segmenter();

  // False: its headers do not allow it. Else next() gives the frames, until it returns 0; `packet` stays as it is.
  bool begin(const Packet& packet);
  // At most kBurst frames, valid until the next call.
  uint16_t next(std::array<Packet*, kBurst>& frames);

 private:
  static constexpr uint32_t kRoom = 128 * 1024;  // a frame of 64 KiB fits, and 32 of the usual ones

  bool parse(const Packet& packet);
  void make(std::byte* frame, uint32_t payload, bool last);

  const Packet* packet_ = nullptr;
  uint32_t headers_ = 0;  // octets of Ethernet, IP and TCP headers
  uint32_t network_ = 0;  // where the IP header begins
  uint32_t done_ = 0;     // octets of payload
  uint32_t frames_ = 0;   // made so far
  std::unique_ptr<std::byte[]> room_;
  std::array<Packet, kBurst> packets_;
};

}  // namespace testbed
