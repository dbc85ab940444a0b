// One connection of a link port: frames in a byte stream, each after its length in four octets, big endian
// (the format of QEMU's `-netdev stream` and of passt). What was taken for sending and did not fit into the
// socket waits here, whole frames or the rest of one, so that no frame is ever cut.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/fd.hpp"
#include "core/graph/packet.hpp"

namespace testbed::link {

inline constexpr uint32_t kMaxFrame = 9216 + 22;  // jumbo frames with two VLAN tags

class LinkSession {
 public:
  // `socket` does not block.
  explicit LinkSession(Fd socket);

  int fd() const { return socket_.get(); }
  // Set by whoever notices first; nothing is sent or received any more.
  bool gone() const { return gone_.load(std::memory_order_relaxed); }
  const char* reason() const { return reason_.load(std::memory_order_relaxed); }

  // -- The worker that owns the port's queue.
  // At most kBurst packets that lie in this session's buffer until release().
  uint16_t receive(Packet* packets);
  void release() { begin_ = parsed_; }
  bool has_frames() const { return frame_at(parsed_) != 0; }

  // -- One worker at a time (the port's lock).
  // Takes the first frames that fit, and sends what the socket takes. How many were taken.
  uint16_t send(Packet* const* packets, uint16_t count);
  // Sends what waits. True: nothing waits any more.
  bool flush();
  bool waits() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kBuffer = 256 * 1024;

  // Length of the whole frame whose length field is at `at`; 0: not all of it is here.
  uint32_t frame_at(size_t at) const;
  void read_more();
  void end(const char* reason);

  Fd socket_;
  std::atomic<bool> gone_ = false;
  std::atomic<const char*> reason_ = "";
  // dataplane of the owning worker. [begin_, parsed_) is lent out, [parsed_, end_) was read.
  std::vector<std::byte> in_, out_;
  size_t begin_ = 0, parsed_ = 0, end_ = 0;
  // under the port's lock
  size_t out_begin_ = 0, out_end_ = 0;
  std::atomic<bool> waiting_ = false;
};

}  // namespace testbed::link
