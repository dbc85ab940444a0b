#include "vdev/gate/timeline.hpp"

#include "core/base/clock.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::gate {
namespace {

nlohmann::json entry_of(const Message& message, const char* direction, size_t fds) {
  return {{"dir", direction},
          {"request", message.header.request},
          {"message", wire::request_name(message.header.request)},
          {"size", message.header.size},
          {"fds", fds},
          {"flags", message.header.flags}};
}

}  // namespace

void Timeline::begin_session(uint64_t session) {
  sessions_.push_back({session, 0, {}});
  if (sessions_.size() > 2) sessions_.pop_front();
}

void Timeline::request(const Message& message, size_t fds, uint64_t t, double reply_us) {
  nlohmann::json entry = entry_of(message, "frontend", fds);
  if (reply_us >= 0) entry["reply_us"] = reply_us;
  add(std::move(entry), t);
}

void Timeline::reply(const Message& message) {
  add(entry_of(message, "backend", message.fds.size()), now_ns());
}

void Timeline::add(nlohmann::json entry, uint64_t t) {
  Session& session = sessions_.back();
  entry["n"] = ++session.count;
  entry["session"] = session.id;
  entry["port"] = port_;
  events_.emit("session.message", entry, t);
  entry["t"] = t;
  session.entries.push_back(std::move(entry));
  if (session.entries.size() > kPerSession) session.entries.pop_front();
}

nlohmann::json Timeline::messages() const {
  nlohmann::json all = nlohmann::json::array();
  for (const Session& session : sessions_)
    for (const auto& entry : session.entries) all.push_back(entry);
  return all;
}

}  // namespace testbed::gate
