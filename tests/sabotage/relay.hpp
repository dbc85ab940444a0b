// Passes the signals of one eventfd on to another, unless told not to.
#pragma once

#include <sys/eventfd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>

#include "core/base/fd.hpp"

namespace testbed::sabotage {

class Relay {
 public:
  // `pass` is asked for every signal. Control thread.
  Relay(boost::asio::io_context& io, Fd from, Fd to, std::function<bool()> pass)
      : from_(io, from.release()), to_(std::move(to)), pass_(std::move(pass)) {
    wait();
  }

 private:
  void wait() {
    from_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
                       if (error || !alive.lock()) return;
                       eventfd_t count = 0;
                       ::eventfd_read(from_.native_handle(), &count);
                       if (pass_()) ::eventfd_write(to_.get(), 1);
                       wait();
                     });
  }

  boost::asio::posix::stream_descriptor from_;
  Fd to_;
  std::function<bool()> pass_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // a wait that is over cannot be cancelled
};

}  // namespace testbed::sabotage
