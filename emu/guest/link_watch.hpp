// Tells when an interface's carrier comes or goes, and when the interface itself does, from rtnetlink's own
// messages.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <string>

#include "core/base/result.hpp"
#include "emu/guest/netdev.hpp"

namespace testbed::guest {

class LinkWatch {
 public:
  using Listener = std::function<void(bool up)>;

  // `listener` is called on changes only, on the io_context's thread.
  LinkWatch(boost::asio::io_context& io, const Netdev& netdev, Listener listener)
      : socket_(io), netdev_(netdev), listener_(std::move(listener)) {}
  Result<void> start();

 private:
  void wait();
  void look();

  boost::asio::posix::stream_descriptor socket_;
  const Netdev& netdev_;
  Listener listener_;
  bool up_ = false;
};

}  // namespace testbed::guest
