// The message timeline of a leg: every message of the last two sessions, each also an event proxy.message.
#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/base/event_log.hpp"
#include "emu/proxy/message.hpp"

namespace testbed::proxy {

// Finds the request a reply answers. Both ends work in order (vhost-user, "Communication"), so it is the
// oldest unanswered one with the same number, and the requests before that one never get a reply.
class ReplyMatcher {
 public:
  void request(uint64_t n, uint32_t request);
  std::optional<uint64_t> reply(uint32_t request);

 private:
  static constexpr size_t kMaxWaiting =
      1024;  // a front-end that never wants a reply adds one for each message
  struct Waiting {
    uint64_t n;
    uint32_t request;
  };
  std::deque<Waiting> waiting_;
};

// What the faults need to know of a message.
struct Recorded {
  uint64_t session;
  uint64_t
      n;  // in the session, from 1, both directions together, in the order in which they became whole here
  Side from;
  uint32_t request;
  bool reply;
};

class Recorder {
 public:
  // A handshake of 128 queue pairs is some 1800 messages. A session that talks for ever keeps its last ones.
  static constexpr size_t kPerSession = 4096;

  // `events` outlives this.
  Recorder(EventLog& events, std::string leg) : events_(events), leg_(std::move(leg)) {}

  void begin(uint64_t session);
  // A Piece::message.
  Recorded add(Side from, const Message& message);

  // The last two sessions, oldest message first.
  nlohmann::json timeline() const;
  // Messages of the current (or last) session so far.
  uint64_t count() const { return sessions_.empty() ? 0 : sessions_.back().count; }

 private:
  struct Session {
    uint64_t id;
    uint64_t count = 0;
    std::deque<nlohmann::json> entries;
    ReplyMatcher replies;
  };

  EventLog& events_;
  std::string leg_;
  std::deque<Session> sessions_;
};

}  // namespace testbed::proxy
