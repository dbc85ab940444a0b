#include "vdev/gate/session.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include "core/base/clock.hpp"
#include "vdev/gate/rules/request_shape.hpp"
#include "vdev/wire/vhost_user_names.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::gate {
namespace {

using wire::Request;

EndReason reason_of(const Error& error) {
  switch (error.code) {
    case Errc::disconnected:
      return EndReason::peer_closed;
    case Errc::timeout:
      return EndReason::deadline;
    default:
      return EndReason::protocol;
  }
}

// Logging comes and goes with every migration; it is not part of what a guest agreed on.
uint64_t lasting(uint64_t features) {
  return features & ~bit(wire::Feature::LOG_ALL);
}

// The worker that calls must not block on a counter that the peer has filled up. The flag belongs to the open
// file, which is the peer's as well; front-ends set it themselves.
void make_nonblocking(const Message& notifier) {
  for (const Fd& fd : notifier.fds) ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

Message without_fds(const Message& message) {
  return {message.header, message.payload, {}};
}

}  // namespace

std::string_view to_string(EndReason reason) {
  switch (reason) {
    case EndReason::peer_closed:
      return "peer closed";
    case EndReason::deadline:
      return "deadline";
    case EndReason::protocol:
      return "protocol";
    case EndReason::refused:
      return "refused";
    case EndReason::backend_lost:
      return "library closed";
    case EndReason::disconnect:
      return "disconnect";
    case EndReason::removed:
      return "removed";
  }
  return "";
}

Session::Session(const SessionContext& context, uint64_t id, Fd socket)
    : context_(context),
      id_(id),
      since_ns_(now_ns()),
      rules_(context.offer),
      virtqueues_(context.memory, static_cast<uint16_t>(2 * context.offer.queue_pairs)),
      before_(context.memory.features()) {
  ucred peer{};
  socklen_t length = sizeof peer;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length);
  context_.timeline.begin_session(id);
  nlohmann::json event = fields();
  event["peer_pid"] = peer.pid;
  context_.events.emit("session.connected", std::move(event), since_ns_);
  channel_ = Channel::make(context.io, std::move(socket), context.deadline);
}

Session::~Session() {
  if (!ended_) channel_->close();
}

void Session::start(std::unique_ptr<Backend> backend, OnAccepted on_accepted, OnEnd on_end) {
  backend_ = std::move(backend);
  on_accepted_ = std::move(on_accepted);
  on_end_ = std::move(on_end);
  const std::weak_ptr<Session> weak = weak_from_this();
  backend_->on_lost([weak](const Error& error) {
    if (auto self = weak.lock()) self->finish(EndReason::backend_lost, error.message);
  });
  watch_.emplace(context_.io, [weak] {
    if (auto self = weak.lock()) self->shrunk();
  });
  channel_->start(
      [weak](Message message) {
        if (auto self = weak.lock()) self->handle(std::move(message));
      },
      [weak](const Error& error) {
        if (auto self = weak.lock()) self->closed(error);
      });
}

void Session::handle(Message message) {
  if (ended_) return;
  request_t_ = now_ns();
  request_fds_ = describe_fds(message.fds);
  Verdict verdict = rules_.request(message, request_fds_);
  if (!verdict && rules_.changes_nothing(message, request_fds_)) return answer_here(message);
  if (!verdict)
    if (auto ok = watch_->before(message, request_fds_); !ok)
      verdict = Refusal{Reason::memory, ok.error().message};
  if (!verdict)
    if (auto ok = virtqueues_.observe(message); !ok) verdict = Refusal{Reason::memory, ok.error().message};
  if (verdict) return refuse(message, *verdict);
  if (vring_of(message)) make_nonblocking(message);
  if (message.is(Request::SET_VRING_KICK)) return kick(std::move(message));
  submit(std::move(message));
}

// The session goes on if the front-end asked to be told. It is left as it was, and the stream has its bounds
// still; only one that speaks another protocol is not believed about those either. One that does not ask goes
// on as if it had been obeyed: that session ends. So does one whose message has an answer of its own: there is
// no "no" in it, features of 1 would be believed.
void Session::refuse(const Message& message, const Refusal& refusal) {
  const bool ends = !message.needs_reply() || refusal.reason == Reason::header ||
                    rules_.has_answer_of_its_own(message);
  context_.timeline.request(message, request_fds_.size(), request_t_, ends ? -1 : 0);
  context_.refusals.note(id_, refusal, ends);
  if (ends) return finish(EndReason::refused, refusal.detail);
  reply(make_message(message.request(), wire::kFlagReply, uint64_t{1}));
  channel_->next();
}

void Session::answer_here(const Message& message) {
  answered(without_fds(message), make_message(message.request(), wire::kFlagReply, uint64_t{0}));
}

void Session::submit(Message message) {
  const auto said = std::make_shared<Message>(without_fds(message));
  // The back-end calls no more once it is destroyed, and it is destroyed before this session is.
  backend_->submit(std::move(message),
                   [this, said](Result<Message> answer) { answered(*said, std::move(answer)); });
}

void Session::answered(const Message& said, Result<Message> answer) {
  const std::string name(wire::request_name(said.header.request));
  const double reply_us = answer ? static_cast<double>(now_ns() - request_t_) / 1000.0 : -1;
  context_.timeline.request(said, request_fds_.size(), request_t_, reply_us);
  if (!answer) return finish(EndReason::backend_lost, answer.error().message + " at " + name);
  if (Rules::says_no(said.request(), *answer)) {
    context_.refusals.note(id_, {Reason::backend, "it refused " + name}, !said.needs_reply());
    if (!said.needs_reply()) return finish(EndReason::backend_lost, "it refused " + name);
  } else {
    note_accepted(said, *answer);
  }
  rules_.reply(said.request(), *answer);
  if (rules_.wants_reply(said)) reply(std::move(*answer));
  if (!ended_ && !start_waiting(said)) channel_->next();
}

void Session::reply(Message answer) {
  context_.timeline.reply(answer);
  channel_->send(std::move(answer));
}

void Session::note_features(uint64_t features) {
  const PortMemory::Features now{rules_.offered(), features, true};
  const bool first = !std::exchange(negotiated_once_, true);
  if (!first && lasting(context_.memory.features().negotiated) == lasting(features)) return;
  nlohmann::json event = fields();
  event["offered"] = hex(now.offered);
  event["negotiated"] = hex(features);
  event["names"] = feature_names(features);
  context_.events.emit("session.negotiated", std::move(event));
  if (first && before_.open && lasting(before_.negotiated) != lasting(features)) {
    event = fields();
    event["before"] = hex(before_.negotiated);
    event["now"] = hex(features);
    context_.events.emit("session.changed", std::move(event));
  }
  context_.memory.remember(now);
}

void Session::note_accepted(const Message& said, const Message& answer) {
  rules_.accepted(said, request_fds_);
  if (said.is(Request::SET_MEM_TABLE)) virtqueues_.remap();
  if (said.is(Request::SET_FEATURES)) note_features(rules_.negotiated());
  const auto state = answer.as<wire::VringState>();
  if (said.is(Request::GET_VRING_BASE) && state && state->index < virtqueues_.count()) {
    waiting_kicks_.erase(state->index);
    virtqueues_.stopped(static_cast<uint16_t>(state->index), static_cast<uint16_t>(state->num));
  }
  on_accepted_(said.request());
  watch_->accepted(said.request());
}

void Session::closed(const Error& error) {
  const EndReason reason = reason_of(error);
  if (reason == EndReason::deadline) context_.refusals.note(id_, {Reason::deadline, error.message}, true);
  if (reason == EndReason::protocol) context_.refusals.note(id_, {Reason::malformed, error.message}, true);
  finish(reason, error.message);
}

void Session::shrunk() {
  if (ended_) return;
  const Refusal refusal{Reason::shrunk, "a file of its memory or its log became shorter"};
  context_.refusals.note(id_, refusal, true);
  finish(EndReason::refused, refusal.detail);
}

void Session::end(EndReason reason, const std::string& detail) {
  on_end_ = nullptr;
  finish(reason, detail);
}

void Session::finish(EndReason reason, const std::string& detail) {
  if (std::exchange(ended_, true)) return;
  const std::shared_ptr<Session> keep = shared_from_this();
  channel_->close();
  backend_.reset();
  // Only a front-end that left of its own accord will not come back with what it remembers.
  if (reason == EndReason::peer_closed && negotiated_once_) {
    PortMemory::Features features = context_.memory.features();
    features.open = false;
    context_.memory.remember(features);
  }
  nlohmann::json event = fields();
  event["reason"] = to_string(reason);
  if (!detail.empty()) event["detail"] = detail;
  context_.events.emit("session.down", std::move(event));
  if (const OnEnd on_end = std::exchange(on_end_, nullptr)) on_end(reason);
}

}  // namespace testbed::gate
