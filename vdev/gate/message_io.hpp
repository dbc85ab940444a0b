// Whole messages from and to a non-blocking socket. What has arrived of a message is kept until the rest
// comes; nobody waits.
//
// Descriptors travel with the first octet of the send that carried them. The reader never asks for more than
// is missing of the present message, so descriptors of the next one cannot arrive early, and those that come
// in the middle are its own.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "core/base/result.hpp"
#include "vdev/gate/message.hpp"

namespace testbed::gate {

class MessageReader {
 public:
  // The next whole message; nullopt: not yet. Errc::disconnected: the peer closed. Errc::protocol: what came
  // cannot be a message (too long, too many descriptors); the stream has no meaning from here on.
  Result<std::optional<Message>> read(int socket);
  // Something of a message is here, but not all of it.
  bool partial() const { return have_ > 0; }

 private:
  Result<size_t> receive(int socket, std::byte* to, size_t length);
  Result<void> check_header() const;

  Message message_;
  size_t have_ = 0;  // octets of header and payload
};

class MessageWriter {
 public:
  void push(Message message) { queue_.push_back(std::move(message)); }
  // Sends what the socket takes. The descriptors of a message are closed here once they are sent.
  Result<void> flush(int socket);
  bool empty() const { return queue_.empty(); }

 private:
  Result<size_t> send_some(int socket, Message& message);

  std::deque<Message> queue_;
  size_t sent_ = 0;  // octets of the first message
};

}  // namespace testbed::gate
