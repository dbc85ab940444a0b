// The sending half: a packet socket that skips the queueing discipline, so that a full virtqueue is seen at
// once and the frame is known not to have left. A burst is one system call.
#pragma once

#include <cstdint>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::guest {

class PacketSender {
 public:
  // `priority` chooses the transmit queue where priorities were mapped to queues.
  static Result<PacketSender> open(int interface, uint16_t priority);

  // How many of the leading frames were taken by the driver; the rest found no room (or no carrier).
  uint16_t send(const flow::Frame* frames, uint16_t count) const;

 private:
  explicit PacketSender(Fd socket) : socket_(std::move(socket)) {}

  Fd socket_;
};

}  // namespace testbed::guest
