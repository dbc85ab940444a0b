#include "emu/guest/link_watch.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "core/base/fd.hpp"

namespace testbed::guest {

Result<void> LinkWatch::start() {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return fail_errno("rtnetlink", errno);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("rtnetlink", errno);
  socket_.assign(fd.release());
  up_ = netdev_.link();
  wait();
  return {};
}

void LinkWatch::wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this](boost::system::error_code error) {
                       if (!error) look();
                     });
}

void LinkWatch::look() {
  // A message says that something changed; what holds now is asked of the interface, so that a lost message
  // (ENOBUFS) costs nothing.
  std::array<char, 16384> messages;
  while (::recv(socket_.native_handle(), messages.data(), messages.size(), 0) > 0 || errno == ENOBUFS)
    errno = 0;
  const bool up = netdev_.link();
  if (std::exchange(up_, up) != up) listener_(up);
  wait();
}

}  // namespace testbed::guest
