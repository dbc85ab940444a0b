// One vhost-user connection seen from the frontend: what was negotiated on it, requests and their answers,
// and a log of both. Lives exactly as long as its socket. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "emu/driver/session/channel.hpp"
#include "emu/driver/session/message.hpp"

namespace testbed::driver {

// One line of the log: a message that was sent and what came back, or one the backend sent on its own
// channel.
struct Exchange {
  uint64_t n = 0;  // of the session, from 1
  uint64_t t_ns = 0;
  bool from_backend = false;
  uint32_t request = 0, flags = 0, size = 0;
  size_t fds = 0;
  uint64_t reply_us = 0;           // 0: no answer was expected
  std::optional<uint64_t> number;  // a u64 answer: an acknowledgement (0: done), features...
  std::string error;               // why there is no answer
};

class Session {
 public:
  static constexpr size_t kKept = 4096;  // exchanges
  static constexpr size_t kWindow = 32;  // messages

  explicit Session(Fd socket, uint64_t answer_within_ns)
      : channel_(std::move(socket)), answer_within_ns_(answer_within_ns) {}

  Channel& channel() { return channel_; }
  const std::deque<Exchange>& log() const { return log_; }
  uint64_t sent() const { return sent_; }  // messages

  // Set by the handshake.
  uint64_t offered = 0, features = 0;
  uint64_t offered_protocol = 0, protocol_features = 0;
  bool need_reply = false;  // ask for an acknowledgement wherever REPLY_ACK allows it
  bool has(wire::ProtocolFeature feature) const { return protocol_features & bit(feature); }
  bool has_feature(uint64_t mask) const { return (features & mask) == mask; }

  // Sends; waits for the answer if the specification or NEED_REPLY promises one, or if `expect` says so.
  // Errc::refused: the backend acknowledged with an error. Errc::protocol: it answered something else.
  Result<std::optional<Received>> exchange(Message message, std::optional<bool> expect = std::nullopt);
  // The same for requests whose answer (if any) is only an acknowledgement.
  Result<void> tell(Message message);
  Result<uint64_t> ask(Message message);  // a u64
  // The same for messages that do not depend on each other's answers: they are sent without waiting (kWindow
  // ahead of the answers at most, lest two full sockets wait for each other). What they answered, in order;
  // or the first error. All answers have been taken then, unless the backend is gone or silent. `meanwhile`
  // runs once, when all were sent.
  Result<std::vector<std::optional<Received>>> exchange_all(std::vector<Message> messages,
                                                            const std::function<void()>& meanwhile = {});
  Result<void> tell_all(std::vector<Message> messages);

  // Any octets with any descriptors; waits for nothing.
  Result<void> send_raw(std::span<const uint8_t> bytes, std::span<const int> fds);
  Result<Received> receive() { return channel_.receive(deadline()); }

  // A request of the backend, for the log.
  void note_backend(const Received& message);

 private:
  uint64_t deadline() const;
  Exchange& note(const Message& message);
  Result<Received> answer_to(const Message& message);
  // A message that left, and what is expected of it. A place in the log stays valid until that is trimmed.
  struct Pending {
    Message message;
    bool acknowledged, waits;
    uint64_t n;
  };
  Result<Pending> leave(Message message, std::optional<bool> expect);
  Result<std::optional<Received>> await(const Pending& sent);
  Exchange* entry_of(uint64_t n);

  Channel channel_;
  uint64_t answer_within_ns_;
  std::deque<Exchange> log_;
  uint64_t next_ = 1;
  uint64_t sent_ = 0;
};

}  // namespace testbed::driver
