#include "emu/guest/packet_sender.hpp"

#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace testbed::guest {

namespace {

// Frames in the virtqueue count against the socket until the driver sees them used: more than a full
// virtqueue of them.
constexpr int kSendBuffer = 16 << 20;

}  // namespace

Result<PacketSender> PacketSender::open(int interface, uint16_t priority) {
  Fd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("packet socket", errno);
  const int bypass = 1, wanted = priority;
  if (::setsockopt(fd.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof bypass) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_PRIORITY, &wanted, sizeof wanted) != 0)
    return fail_errno("packet socket: options", errno);
  sockaddr_ll address{};  // protocol 0: sends only
  address.sll_family = AF_PACKET;
  address.sll_ifindex = interface;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("packet socket: bind", errno);
  return PacketSender(std::move(fd));
}

uint16_t PacketSender::send(const flow::Frame* frames, uint16_t count) const {
  std::array<mmsghdr, flow::kBurst> messages{};
  std::array<iovec, flow::kBurst> pieces;
  count = std::min(count, flow::kBurst);
  for (uint16_t i = 0; i < count; ++i) {
    pieces[i] = {frames[i].data, frames[i].length};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int sent;
  do sent = ::sendmmsg(socket_.get(), messages.data(), count, 0);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? uint16_t{0} : static_cast<uint16_t>(sent);
}

}  // namespace testbed::guest
