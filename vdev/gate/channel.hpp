// A connected vhost-user socket on the control thread's loop: whole messages in, whole messages out, a
// deadline for each.
//
// One message at a time: after a message was handed over nothing more is read until next() is called, so a
// peer that sends faster than it is answered waits in its own socket, and nothing piles up here.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "core/base/fd.hpp"
#include "vdev/gate/message_io.hpp"

namespace testbed::gate {

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  using OnMessage = std::function<void(Message)>;
  using OnClosed = std::function<void(const Error&)>;  // once, at most; not after close()

  static std::shared_ptr<Channel> make(boost::asio::io_context& io, Fd socket,
                                       std::chrono::milliseconds deadline);

  void start(OnMessage on_message, OnClosed on_closed);
  // Reads on; calls on_message for the next whole message, possibly before it returns to the loop.
  void next();
  void send(Message message);
  // Has the peer closed its end? True before what it sent has been read, and before on_closed comes.
  bool abandoned() const;
  // Closes the socket at once. No callback comes afterwards. May be called from within one.
  void close();

 private:
  Channel(boost::asio::io_context& io, Fd socket, std::chrono::milliseconds deadline);
  void wait_readable();
  void wait_writable();
  void read();
  void flush();
  void watch_clock();
  void fail_with(Error error);
  void shut();

  mutable boost::asio::posix::stream_descriptor socket_;  // asking for the handle is no change
  boost::asio::steady_timer clock_;
  std::chrono::milliseconds deadline_;
  MessageReader reader_;
  MessageWriter writer_;
  OnMessage on_message_;
  OnClosed on_closed_;
  bool waiting_to_read_ = false;
  bool waiting_to_write_ = false;
  bool clock_runs_ = false;
  bool busy_ = false;      // a message was handed over and next() has not come
  bool left_ = false;      // the peer closed, as far as was read
  bool released_ = false;  // close() was called: nobody is to be told anything any more
};

}  // namespace testbed::gate
