#include "emu/driver/session/channel.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/base/clock.hpp"
#include "core/base/unix_socket.hpp"

namespace testbed::driver {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;

int timeout_ms(uint64_t deadline_ns) {
  const uint64_t now = now_ns();
  return now >= deadline_ns
             ? 0
             : static_cast<int>(std::min<uint64_t>((deadline_ns - now) / kMillisecond + 1, 60'000));
}

void take_fds(msghdr& header, std::vector<Fd>& fds) {
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

// Waits for `fd`, or for `cancel`, until the deadline or `at_most_ms`.
Result<bool> wait_or_cancel(int fd, int cancel, uint64_t deadline_ns, int at_most_ms) {
  std::array<pollfd, 2> watched{pollfd{fd, POLLIN, 0}, pollfd{cancel, POLLIN, 0}};
  const int left = timeout_ms(deadline_ns);
  ::poll(watched.data(), watched.size(), std::min(left, at_most_ms));
  if (watched[1].revents) return fail(Errc::refused, "cancelled");
  if (watched[0].revents) return true;
  if (now_ns() >= deadline_ns) return fail(Errc::timeout, "nobody came in time");
  return false;
}

}  // namespace

Result<void> wait_ready(int fd, short events, uint64_t deadline_ns) {
  for (;;) {
    pollfd watched{fd, events, 0};
    const int ready = ::poll(&watched, 1, timeout_ms(deadline_ns));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno("poll", errno);
    if (now_ns() >= deadline_ns) return fail(Errc::timeout, "the peer did not answer in time");
  }
}

Result<void> Channel::send(std::span<const uint8_t> bytes, std::span<const int> fds, uint64_t deadline_ns) {
  if (fds.size() > kMaxPassedFds)
    return fail(Errc::invalid_argument, "one message carries at most 253 descriptors");
  while (!bytes.empty()) {
    iovec vector{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPassedFds * sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* item = CMSG_FIRSTHDR(&header);
      item->cmsg_level = SOL_SOCKET;
      item->cmsg_type = SCM_RIGHTS;
      item->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(item), fds.data(), fds.size_bytes());
    }
    const ssize_t sent = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(sent));
      fds = {};
    } else if (errno == EAGAIN || errno == ETOOMANYREFS) {
      if (auto ready = wait_ready(socket_.get(), POLLOUT, deadline_ns); !ready) return ready;
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return fail(Errc::disconnected, "the backend closed the connection");
    } else if (errno != EINTR) {
      return fail_errno("sendmsg", errno);
    }
  }
  return {};
}

Result<void> Channel::read_all(uint8_t* into, size_t length, std::vector<Fd>& fds, uint64_t deadline_ns) {
  while (length > 0) {
    iovec vector{into, length};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPassedFds * sizeof(int))> control;
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    if (got > 0) {
      take_fds(header, fds);
      into += got;
      length -= static_cast<size_t>(got);
    } else if (got == 0 || errno == ECONNRESET) {
      return fail(Errc::disconnected, "the backend closed the connection");
    } else if (errno == EAGAIN) {
      if (auto ready = wait_ready(socket_.get(), POLLIN, deadline_ns); !ready) return ready;
    } else if (errno != EINTR) {
      return fail_errno("recvmsg", errno);
    }
  }
  return {};
}

Result<Received> Channel::receive(uint64_t deadline_ns) {
  Received message;
  auto done =
      read_all(reinterpret_cast<uint8_t*>(&message.header), sizeof message.header, message.fds, deadline_ns);
  if (!done) return tl::unexpected(done.error());
  if (message.header.size > wire::kMaxPayload)
    return fail(Errc::protocol,
                "the backend announces a payload of " + std::to_string(message.header.size) + " octets");
  message.payload.resize(message.header.size);
  done = read_all(message.payload.data(), message.payload.size(), message.fds, deadline_ns);
  if (!done) return tl::unexpected(done.error());
  return message;
}

bool Channel::hung_up() const {
  pollfd watched{socket_.get(), POLLIN | POLLRDHUP, 0};
  if (::poll(&watched, 1, 0) <= 0) return false;
  if (watched.revents & (POLLHUP | POLLERR | POLLNVAL)) return true;
  char byte;
  return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

Result<Fd> dial(const std::string& path, uint64_t deadline_ns, int cancel) {
  if (auto ok = check_socket_path(path); !ok) return tl::unexpected(ok.error());
  // The directory tells when the socket appears. bind() comes before listen(), so one that refuses is asked
  // again soon.
  Fd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const bool watching = ::inotify_add_watch(watch.get(), directory.empty() ? "." : directory.c_str(),
                                            IN_CREATE | IN_MOVED_TO | IN_ATTRIB) >= 0;
  for (;;) {
    auto connected = connect_unix(path);
    if (connected) return connected;
    const Errc why = connected.error().code;
    if (why != Errc::not_found && why != Errc::refused && why != Errc::busy) return connected;
    const int at_most_ms = why == Errc::not_found && watching ? 1000 : 5;
    if (auto waited = wait_or_cancel(watch.get(), cancel, deadline_ns, at_most_ms); !waited)
      return fail(waited.error().code, connected.error().message);
    std::array<char, 4096> events;
    while (::read(watch.get(), events.data(), events.size()) > 0) {
    }
  }
}

Result<Fd> accept_one(int listener, uint64_t deadline_ns, int cancel) {
  for (;;) {
    Fd accepted(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) return accepted;
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) return fail_errno("accept", errno);
    if (auto waited = wait_or_cancel(listener, cancel, deadline_ns, 1000); !waited)
      return tl::unexpected(waited.error());
  }
}

}  // namespace testbed::driver
