#include "emu/proxy/listener.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "core/base/unix_socket.hpp"

namespace testbed::proxy {

using boost::asio::local::stream_protocol;

Listener::Listener(boost::asio::io_context& io, std::string path, OnConnected on_connected)
    : path_(std::move(path)), on_connected_(std::move(on_connected)), acceptor_(io), retry_(io) {
}

Listener::~Listener() {
  struct stat now {};
  if (inode_ && ::lstat(path_.c_str(), &now) == 0 && now.st_ino == inode_ && now.st_dev == device_)
    ::unlink(path_.c_str());  // whoever took the path over keeps it
}

Result<void> Listener::open() {
  auto fd = listen_unix(path_);
  if (!fd) return tl::unexpected(fd.error());
  struct stat own {};
  if (::lstat(path_.c_str(), &own) == 0) {
    device_ = own.st_dev;
    inode_ = own.st_ino;
  }
  acceptor_.assign(stream_protocol(), fd->release());
  return {};
}

void Listener::want() {
  wanted_ = true;
  if (!accepting_) accept();
}

void Listener::accept() {
  accepting_ = true;
  acceptor_.async_accept(
      [this, guard = std::weak_ptr<bool>(alive_)](boost::system::error_code error, Socket socket) {
        if (!guard.expired()) accepted(error, std::move(socket));
      });
}

void Listener::accepted(boost::system::error_code error, Socket socket) {
  accepting_ = false;
  if (error == boost::asio::error::operation_aborted) return;
  if (!error && std::exchange(wanted_, false)) return on_connected_(std::move(socket));
  // Out of descriptors, most likely: the peer stays in the backlog, and no event tells when one is free
  // again.
  accepting_ = true;
  retry_.expires_after(std::chrono::milliseconds(20));
  retry_.async_wait([this, guard = std::weak_ptr<bool>(alive_)](boost::system::error_code cancelled) {
    if (guard.expired()) return;
    accepting_ = false;
    if (!cancelled && wanted_) accept();
  });
}

}  // namespace testbed::proxy
