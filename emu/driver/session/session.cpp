#include "emu/driver/session/session.hpp"

#include <cstring>

#include "core/base/clock.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::driver {
namespace {

std::string name_of(uint32_t request) {
  const auto name = wire::request_name(request);
  return name == "UNKNOWN" ? "request " + std::to_string(request) : std::string(name);
}

std::optional<uint64_t> as_number(const Received& message) {
  if (message.payload.size() != sizeof(uint64_t)) return std::nullopt;
  uint64_t value;
  std::memcpy(&value, message.payload.data(), sizeof value);
  return value;
}

}  // namespace

uint64_t Session::deadline() const {
  return now_ns() + answer_within_ns_;
}

Exchange& Session::note(const Message& message) {
  ++sent_;
  if (log_.size() == kKept) log_.pop_front();
  return log_.emplace_back(Exchange{.n = next_++,
                                    .t_ns = now_ns(),
                                    .request = message.request,
                                    .flags = message.flags,
                                    .size = static_cast<uint32_t>(message.payload.size()),
                                    .fds = message.fds.size()});
}

void Session::note_backend(const Received& message) {
  if (log_.size() == kKept) log_.pop_front();
  log_.push_back({.n = next_++,
                  .t_ns = now_ns(),
                  .from_backend = true,
                  .request = message.header.request,
                  .flags = message.header.flags,
                  .size = message.header.size,
                  .fds = message.fds.size()});
}

Result<Received> Session::answer_to(const Message& message) {
  auto reply = receive();
  if (!reply) return fail(reply.error().code, name_of(message.request) + ": " + reply.error().message);
  const wire::VhostUserHeader& header = reply->header;
  // "Bit 2 is the reply flag - needs to be sent on each reply from the back-end"
  if (header.request != message.request || !(header.flags & wire::kFlagReply) ||
      (header.flags & wire::kFlagVersionMask) != wire::kFlagVersion)
    return fail(Errc::protocol, name_of(message.request) + " was answered with " + name_of(header.request) +
                                    ", flags " + std::to_string(header.flags));
  return reply;
}

Exchange* Session::entry_of(uint64_t n) {
  const uint64_t first = next_ - log_.size();
  return n < first ? nullptr : &log_[n - first];
}

Result<Session::Pending> Session::leave(Message message, std::optional<bool> expect) {
  const bool always = answered(message.request, protocol_features);
  if (need_reply && !always && has(wire::ProtocolFeature::REPLY_ACK)) message.flags |= wire::kFlagNeedReply;
  const bool acknowledged =
      !always && (message.flags & wire::kFlagNeedReply) && has(wire::ProtocolFeature::REPLY_ACK);
  Exchange& entry = note(message);
  if (auto sent = channel_.send(encode(message), message.fds, deadline()); !sent) {
    entry.error = sent.error().message;
    return fail(sent.error().code, name_of(message.request) + ": " + sent.error().message);
  }
  return Pending{std::move(message), acknowledged, expect.value_or(always || acknowledged), entry.n};
}

Result<std::optional<Received>> Session::await(const Pending& sent) {
  if (!sent.waits) return std::optional<Received>();
  auto reply = answer_to(sent.message);
  Exchange* entry = entry_of(sent.n);
  if (entry) entry->reply_us = (now_ns() - entry->t_ns) / 1000 + 1;
  if (!reply) {
    if (entry) entry->error = reply.error().message;
    return tl::unexpected(reply.error());
  }
  const auto value = as_number(*reply);
  if (entry) entry->number = value;
  if (sent.acknowledged && value != 0u)
    return fail(Errc::refused, name_of(sent.message.request) + " was refused by the backend");
  return std::optional<Received>(std::move(*reply));
}

Result<std::optional<Received>> Session::exchange(Message message, std::optional<bool> expect) {
  const auto sent = leave(std::move(message), expect);
  if (!sent) return tl::unexpected(sent.error());
  return await(*sent);
}

Result<std::vector<std::optional<Received>>> Session::exchange_all(std::vector<Message> messages,
                                                                   const std::function<void()>& meanwhile) {
  std::deque<Pending> sent;
  std::vector<std::optional<Received>> answers;
  std::optional<Error> first;
  const auto take_one = [&] {
    auto answer = await(sent.front());
    sent.pop_front();
    if (answer) return answers.push_back(std::move(*answer));
    if (!first) first = answer.error();
    if (answer.error().code != Errc::refused) sent.clear();  // nothing comes any more
  };
  for (Message& message : messages) {
    if (first) break;
    auto left = leave(std::move(message), std::nullopt);
    if (!left) return tl::unexpected(left.error());
    sent.push_back(std::move(*left));
    if (sent.size() == kWindow) take_one();
  }
  if (meanwhile) meanwhile();
  while (!sent.empty()) take_one();
  if (first) return tl::unexpected(*first);
  return answers;
}

Result<void> Session::tell_all(std::vector<Message> messages) {
  auto done = exchange_all(std::move(messages));
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<void> Session::tell(Message message) {
  auto done = exchange(std::move(message));
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<uint64_t> Session::ask(Message message) {
  const uint32_t request = message.request;
  auto reply = exchange(std::move(message), true);
  if (!reply) return tl::unexpected(reply.error());
  const auto value = as_number(**reply);
  if (!value) return fail(Errc::protocol, name_of(request) + " was answered without a number");
  return *value;
}

Result<void> Session::send_raw(std::span<const uint8_t> bytes, std::span<const int> fds) {
  ++sent_;
  return channel_.send(bytes, fds, deadline());
}

}  // namespace testbed::driver
