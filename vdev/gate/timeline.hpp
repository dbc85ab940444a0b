// The record of a port's vhost-user messages: bounded, the last two sessions; every entry is also a
// session.message event.
#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/event_log.hpp"
#include "vdev/gate/message.hpp"

namespace testbed::gate {

class Timeline {
 public:
  // A handshake of 128 queue pairs is some 1800 messages; a guest that rings on for ever keeps its last ones.
  static constexpr size_t kPerSession = 2048;

  Timeline(EventLog& events, std::string port) : events_(events), port_(std::move(port)) {}

  void begin_session(uint64_t session);
  // A request came in at `t` and was answered (or failed) `reply_us` later; negative: it never was.
  void request(const Message& message, size_t fds, uint64_t t, double reply_us);
  // A reply goes to the front-end.
  void reply(const Message& message);

  // The `timeline` method's "messages", oldest first.
  nlohmann::json messages() const;

 private:
  struct Session {
    uint64_t id;
    uint64_t count = 0;
    std::deque<nlohmann::json> entries;
  };
  void add(nlohmann::json entry, uint64_t t);

  EventLog& events_;
  std::string port_;
  std::deque<Session> sessions_;
};

}  // namespace testbed::gate
