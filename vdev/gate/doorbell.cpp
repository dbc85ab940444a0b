#include "vdev/gate/doorbell.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <stdexcept>

namespace testbed::gate {
namespace {

int make_eventfd() {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw std::runtime_error("cannot make an eventfd: too many open files");
  return fd;
}

}  // namespace

Doorbell::Doorbell(boost::asio::io_context& io) : bell_(io, make_eventfd()) {
  wait();
}

Doorbell::~Doorbell() {
  *alive_ = false;
}

void Doorbell::ring() {
  ::eventfd_write(bell_.native_handle(), 1);
}

void Doorbell::wait() {
  bell_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                   [this, alive = alive_](const boost::system::error_code& error) {
                     if (error || !*alive) return;
                     eventfd_t count;
                     ::eventfd_read(bell_.native_handle(), &count);
                     for (const auto& [owner, answer] : answers_) answer();
                     wait();
                   });
}

}  // namespace testbed::gate
