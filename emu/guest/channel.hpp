// The way out of the guest: a virtio-console port named "testbed.agent", joined to the RPC server by a
// socketpair.
//
// Why not a UART: under TCG 100 KB take 126 ms through an emulated 16550 and 2 ms through virtio-console, and
// the UART loses input when the tty's buffer is full.
#pragma once

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"

namespace testbed::guest {

// Waits until the port of that name is there (its driver was inserted a moment ago) and opens it.
// Errc::timeout.
Result<Fd> open_port(const std::string& name, std::chrono::milliseconds deadline);

// Copies both ways between the port and a socket; when one side does not read, the other is not read from. A
// server that drops the socket (a line beyond its limit) gets a new one. A host that closes the port ends it:
// nobody is left to talk to.
class Channel {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  using Serve = std::function<void(Socket)>;

  // `serve` is called from start() and again after each drop.
  Channel(boost::asio::io_context& io, Fd port, Serve serve);
  void start();

 private:
  using Buffer = std::array<char, 65536>;

  void read_port();
  void read_socket(std::shared_ptr<Socket> socket);

  boost::asio::io_context& io_;
  boost::asio::posix::stream_descriptor port_;
  Serve serve_;
  std::shared_ptr<Socket> socket_;
  Buffer inward_, outward_;
};

}  // namespace testbed::guest
