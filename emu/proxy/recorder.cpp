#include "emu/proxy/recorder.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/clock.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::proxy {

using nlohmann::json;

void ReplyMatcher::request(uint64_t n, uint32_t request) {
  waiting_.push_back({n, request});
  if (waiting_.size() > kMaxWaiting) waiting_.pop_front();
}

std::optional<uint64_t> ReplyMatcher::reply(uint32_t request) {
  const auto found = std::ranges::find(waiting_, request, &Waiting::request);
  if (found == waiting_.end()) return std::nullopt;
  const uint64_t n = found->n;
  waiting_.erase(waiting_.begin(), found + 1);
  return n;
}

void Recorder::begin(uint64_t session) {
  sessions_.push_back({session, 0, {}, {}});
  if (sessions_.size() > 2) sessions_.pop_front();
}

Recorded Recorder::add(Side from, const Message& message) {
  TB_ASSERT(!sessions_.empty() && message.piece == Piece::message);
  Session& session = sessions_.back();
  const auto [request, flags, size] = message.header();
  const uint64_t t = now_ns();
  const Recorded recorded{session.id, ++session.count, from, request,
                          from == Side::back && (flags & wire::kFlagReply) != 0};
  json entry = {{"leg", leg_},         {"session", session.id},     {"n", recorded.n},
                {"dir", dir_of(from)}, {"request", request},        {"name", wire::request_name(request)},
                {"size", size},        {"fds", message.fd_count()}, {"flags", flags}};
  if (from == Side::front) session.replies.request(recorded.n, request);
  if (recorded.reply)
    if (const auto n = session.replies.reply(request)) entry["reply_to"] = *n;
  if (message.descriptors_lost) entry["descriptors_lost"] = true;
  // An event's own `name` is what happened; the message's goes along as `message`.
  json fields = entry;
  fields["message"] = std::move(fields["name"]);
  events_.emit("proxy.message", std::move(fields), t);
  entry["t"] = t;
  session.entries.push_back(std::move(entry));
  if (session.entries.size() > kPerSession) session.entries.pop_front();
  return recorded;
}

json Recorder::timeline() const {
  json all = json::array();
  for (const Session& session : sessions_)
    for (const json& entry : session.entries) all.push_back(entry);
  return all;
}

}  // namespace testbed::proxy
