#include "emu/guest/channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <filesystem>

#include "emu/guest/system.hpp"

namespace testbed::guest {

namespace {

// The device file of the port, or "" while there is none.
std::string find_port(const std::string& name) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/virtio-ports", none)) {
    const std::string device = "/dev/" + entry.path().filename().string();
    if (read_line(entry.path() / "name") == name && ::access(device.c_str(), F_OK) == 0) return device;
  }
  return {};
}

}  // namespace

Result<Fd> open_port(const std::string& name, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  const Fd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!watch || ::inotify_add_watch(watch.get(), "/dev", IN_CREATE) < 0)
    return fail_errno("watching /dev", errno);
  for (;;) {
    if (const std::string device = find_port(name); !device.empty()) {
      Fd port(::open(device.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
      if (!port) return fail_errno(device, errno);
      return port;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(Errc::timeout, "no virtio-console port named " + name);
    pollfd readable{watch.get(), POLLIN, 0};
    // The node appears in /dev before its name in sysfs is set: a short second look, whatever inotify says.
    ::poll(&readable, 1, std::min<int>(20, static_cast<int>(left.count())));
    char events[4096];
    while (::read(watch.get(), events, sizeof events) > 0) {
    }
  }
}

Channel::Channel(boost::asio::io_context& io, Fd port, Serve serve)
    : io_(io), port_(io, port.release()), serve_(std::move(serve)) {
  // The kernel before this one may have died in the middle of a line: end it.
  boost::system::error_code ignored;
  boost::asio::write(port_, boost::asio::buffer("\n", 1), ignored);
}

void Channel::start() {
  const bool first = !socket_;
  auto outer = std::make_shared<Socket>(io_);
  Socket inner(io_);
  boost::asio::local::connect_pair(*outer, inner);
  socket_ = outer;
  serve_(std::move(inner));
  read_socket(outer);
  if (first) read_port();
}

void Channel::read_port() {
  port_.async_read_some(boost::asio::buffer(inward_), [this](boost::system::error_code error, size_t size) {
    if (error) return;
    auto socket = socket_;
    boost::asio::async_write(*socket, boost::asio::buffer(inward_, size),
                             [this, socket](boost::system::error_code, size_t) { read_port(); });
  });
}

void Channel::read_socket(std::shared_ptr<Socket> socket) {
  socket->async_read_some(
      boost::asio::buffer(outward_), [this, socket](boost::system::error_code error, size_t size) {
        if (error) return start();
        boost::asio::async_write(port_, boost::asio::buffer(outward_, size),
                                 [this, socket](boost::system::error_code failed, size_t) {
                                   if (!failed) read_socket(socket);
                                 });
      });
}

}  // namespace testbed::guest
