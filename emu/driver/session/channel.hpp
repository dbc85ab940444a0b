// One Unix stream socket with descriptors in its ancillary data. Calls block until they are done or their
// deadline (of core/base/clock.hpp) passes; nothing here knows what the octets mean.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"
#include "vdev/wire/vhost_user.hpp"

namespace testbed::driver {

// The kernel takes this many descriptors with one message (SCM_MAX_FD).
inline constexpr size_t kMaxPassedFds = 253;

struct Received {
  wire::VhostUserHeader header{};
  std::vector<uint8_t> payload;
  std::vector<Fd> fds;
};

class Channel {
 public:
  explicit Channel(Fd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }

  // The descriptors travel with the first octet. Errc::disconnected, Errc::timeout (some octets may have
  // left).
  Result<void> send(std::span<const uint8_t> bytes, std::span<const int> fds, uint64_t deadline_ns);
  // One whole message. Errc::disconnected, Errc::timeout, Errc::protocol (a payload above wire::kMaxPayload).
  Result<Received> receive(uint64_t deadline_ns);
  // The peer is gone and left nothing to read.
  bool hung_up() const;

 private:
  Result<void> read_all(uint8_t* into, size_t length, std::vector<Fd>& fds, uint64_t deadline_ns);

  Fd socket_;
};

// Waits until the descriptor is ready for `events` (POLLIN, POLLOUT). Errc::timeout.
Result<void> wait_ready(int fd, short events, uint64_t deadline_ns);

// A connected socket: as client as soon as somebody listens at `path`, as server as soon as somebody connects
// to it. `cancel` (an eventfd) readable: Errc::refused. Errc::timeout.
Result<Fd> dial(const std::string& path, uint64_t deadline_ns, int cancel);
Result<Fd> accept_one(int listener, uint64_t deadline_ns, int cancel);

}  // namespace testbed::driver
