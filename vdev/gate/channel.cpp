#include "vdev/gate/channel.hpp"

#include <poll.h>

#include <boost/asio/post.hpp>

namespace testbed::gate {

using boost::asio::posix::stream_descriptor;
using boost::system::error_code;

std::shared_ptr<Channel> Channel::make(boost::asio::io_context& io, Fd socket,
                                       std::chrono::milliseconds deadline) {
  return std::shared_ptr<Channel>(new Channel(io, std::move(socket), deadline));
}

Channel::Channel(boost::asio::io_context& io, Fd socket, std::chrono::milliseconds deadline)
    : socket_(io, socket.release()), clock_(io), deadline_(deadline) {
}

void Channel::start(OnMessage on_message, OnClosed on_closed) {
  on_message_ = std::move(on_message);
  on_closed_ = std::move(on_closed);
  wait_readable();
}

void Channel::next() {
  busy_ = false;
  if (socket_.is_open() && !waiting_to_read_) read();
}

void Channel::wait_readable() {
  waiting_to_read_ = true;
  socket_.async_wait(stream_descriptor::wait_read, [self = shared_from_this()](error_code error) {
    self->waiting_to_read_ = false;
    if (!error && self->socket_.is_open() && !self->busy_) self->read();
  });
}

void Channel::read() {
  auto message = reader_.read(socket_.native_handle());
  if (!message) return fail_with(message.error());
  watch_clock();
  if (!*message) return wait_readable();
  busy_ = true;
  // From the loop, not from here: a row of messages that are answered at once must not become a row of stack
  // frames.
  boost::asio::post(socket_.get_executor(),
                    [self = shared_from_this(), m = std::make_shared<Message>(std::move(**message))] {
                      if (self->socket_.is_open()) self->on_message_(std::move(*m));
                    });
}

void Channel::send(Message message) {
  if (!socket_.is_open()) return;
  writer_.push(std::move(message));
  flush();
}

bool Channel::abandoned() const {
  if (left_ || !socket_.is_open()) return left_;
  pollfd socket{socket_.native_handle(), 0, 0};
  return ::poll(&socket, 1, 0) == 1 && (socket.revents & (POLLHUP | POLLERR)) != 0;
}

void Channel::flush() {
  if (waiting_to_write_) return;
  if (auto ok = writer_.flush(socket_.native_handle()); !ok) return fail_with(ok.error());
  watch_clock();
  if (writer_.empty()) return;
  waiting_to_write_ = true;
  socket_.async_wait(stream_descriptor::wait_write, [self = shared_from_this()](error_code error) {
    self->waiting_to_write_ = false;
    if (!error && self->socket_.is_open()) self->flush();
  });
}

// Half a message, either way, may stay half for `deadline_` and no longer.
void Channel::watch_clock() {
  const bool needed = reader_.partial() || !writer_.empty();
  if (needed == clock_runs_) return;
  clock_runs_ = needed;
  if (!needed) {
    clock_.cancel();
    return;
  }
  clock_.expires_after(deadline_);
  clock_.async_wait([self = shared_from_this()](error_code error) {
    if (error || !self->socket_.is_open() || !self->clock_runs_) return;
    const bool reading = self->reader_.partial();
    self->fail_with(
        {Errc::timeout, std::string(reading ? "half a message and no more" : "a reply was not read") +
                            " for " + std::to_string(self->deadline_.count()) + " ms"});
  });
}

void Channel::fail_with(Error error) {
  left_ = error.code == Errc::disconnected;
  shut();
  boost::asio::post(socket_.get_executor(), [self = shared_from_this(), error] {
    if (!self->released_) self->on_closed_(error);
  });
}

void Channel::close() {
  released_ = true;
  shut();
}

void Channel::shut() {
  error_code ignored;
  clock_.cancel();
  if (socket_.is_open()) socket_.close(ignored);
}

}  // namespace testbed::gate
