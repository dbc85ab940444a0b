#include "vdev/gate/message_io.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <string>

#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::gate {
namespace {

constexpr size_t kHeader = sizeof(wire::VhostUserHeader);

struct alignas(cmsghdr) ControlBuffer {
  std::array<std::byte, CMSG_SPACE(wire::kMaxFds * sizeof(int))> bytes{};
};

void take_fds(msghdr& received, std::vector<Fd>& to) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&received); c != nullptr; c = CMSG_NXTHDR(&received, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      to.emplace_back(fd);
    }
  }
}

void give_fds(msghdr& outgoing, ControlBuffer& control, const std::vector<Fd>& fds) {
  if (fds.empty()) return;
  outgoing.msg_control = control.bytes.data();
  outgoing.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* c = CMSG_FIRSTHDR(&outgoing);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  for (size_t i = 0; i < fds.size(); ++i) {
    const int fd = fds[i].get();
    std::memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
  }
}

}  // namespace

// 0: nothing more for now.
Result<size_t> MessageReader::receive(int socket, std::byte* to, size_t length) {
  iovec part{to, length};
  ControlBuffer control;
  msghdr received{};
  received.msg_iov = &part;
  received.msg_iovlen = 1;
  received.msg_control = control.bytes.data();
  received.msg_controllen = control.bytes.size();
  ssize_t got;
  do {
    got = ::recvmsg(socket, &received, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return size_t{0};
  if (got < 0 && errno == ECONNRESET) return fail(Errc::disconnected, "the peer closed the connection");
  if (got < 0) return fail_errno("recvmsg", errno);
  take_fds(received, message_.fds);
  // The kernel has closed what did not fit.
  if ((received.msg_flags & MSG_CTRUNC) != 0 || message_.fds.size() > wire::kMaxFds)
    return fail(Errc::protocol,
                "more than " + std::to_string(wire::kMaxFds) + " descriptors with one message");
  if (got == 0)
    return fail(Errc::disconnected,
                partial() ? "the peer closed in the middle of a message" : "the peer closed the connection");
  return static_cast<size_t>(got);
}

Result<void> MessageReader::check_header() const {
  if (message_.header.size > wire::kMaxPayload)
    return fail(Errc::protocol, std::string(wire::request_name(message_.header.request)) +
                                    " announces a payload of " + std::to_string(message_.header.size) +
                                    " bytes");
  return {};
}

Result<std::optional<Message>> MessageReader::read(int socket) {
  while (have_ < kHeader) {
    auto got = receive(socket, reinterpret_cast<std::byte*>(&message_.header) + have_, kHeader - have_);
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) return std::nullopt;
    have_ += *got;
  }
  if (auto ok = check_header(); !ok) return tl::unexpected(ok.error());
  message_.payload.resize(message_.header.size);
  while (have_ < kHeader + message_.header.size) {
    auto got =
        receive(socket, message_.payload.data() + (have_ - kHeader), kHeader + message_.header.size - have_);
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) return std::nullopt;
    have_ += *got;
  }
  have_ = 0;
  return std::exchange(message_, Message());
}

// 0: the socket takes no more for now.
Result<size_t> MessageWriter::send_some(int socket, Message& message) {
  std::array<iovec, 2> parts = {iovec{&message.header, kHeader},
                                iovec{message.payload.data(), message.payload.size()}};
  size_t skip = sent_;
  for (iovec& part : parts) {
    const size_t cut = std::min(skip, part.iov_len);
    part = {static_cast<std::byte*>(part.iov_base) + cut, part.iov_len - cut};
    skip -= cut;
  }
  ControlBuffer control;
  msghdr outgoing{};
  outgoing.msg_iov = parts.data();
  outgoing.msg_iovlen = parts.size();
  give_fds(outgoing, control, message.fds);
  ssize_t sent;
  do {
    sent = ::sendmsg(socket, &outgoing, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return size_t{0};
  if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
    return fail(Errc::disconnected, "the peer closed the connection");
  if (sent < 0) return fail_errno("sendmsg", errno);
  message.fds.clear();
  return static_cast<size_t>(sent);
}

Result<void> MessageWriter::flush(int socket) {
  while (!queue_.empty()) {
    Message& first = queue_.front();
    auto sent = send_some(socket, first);
    if (!sent) return tl::unexpected(sent.error());
    if (*sent == 0) return {};
    sent_ += *sent;
    if (sent_ < kHeader + first.payload.size()) continue;
    queue_.pop_front();
    sent_ = 0;
  }
  return {};
}

}  // namespace testbed::gate
