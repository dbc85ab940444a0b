#include "vdev/gate/session.hpp"

#include <sys/socket.h>

#include "core/base/clock.hpp"
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
  channel_->start(
      [weak](Message message) {
        if (auto self = weak.lock()) self->handle(std::move(message));
      },
      [weak](const Error& error) {
        if (auto self = weak.lock()) self->finish(reason_of(error), error.message);
      });
}

void Session::handle(Message message) {
  if (ended_) return;
  request_t_ = now_ns();
  request_fds_ = message.fds.size();
  std::optional<Refusal> refusal = rules_.request(message);
  if (!refusal)
    if (auto ok = virtqueues_.observe(message); !ok) refusal = Refusal{"malformed", ok.error().message};
  if (refusal) {
    context_.timeline.request(message, request_fds_, request_t_, -1);
    return refuse(*refusal);
  }
  if (message.is(Request::SET_FEATURES)) note_features(rules_.negotiated());
  if (message.is(Request::SET_VRING_KICK)) {
    const auto index = static_cast<uint16_t>(*vring_of(message));
    if (const auto resumption = virtqueues_.start(index, rules_.negotiated()))
      return resume_then_submit(*resumption, std::move(message));
  }
  submit(std::move(message));
}

void Session::refuse(const Refusal& refusal) {
  nlohmann::json event = fields();
  event["reason"] = refusal.reason;
  event["detail"] = refusal.detail;
  context_.events.emit("session.refused", std::move(event));
  finish(EndReason::refused, refusal.detail);
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

// The back-end is told where the ring stands by one message more, before the kick that starts the ring.
void Session::resume_then_submit(const Resumption& resumption, Message kick) {
  nlohmann::json event = fields();
  event["queue"] = resumption.queue;
  event["position"] = resumption.position;
  event["wrap"] = resumption.wrap;
  event["committed"] = resumption.committed;
  event["source"] = resumption.source;
  event["frontend_base"] = resumption.base;
  context_.events.emit("ring.resumed", std::move(event));
  if (!virtqueues_.queue(resumption.queue).packed) return submit(std::move(kick));
  const wire::VringState state{
      resumption.queue,
      static_cast<uint32_t>(resumption.position | (resumption.wrap ? wire::kPositionWrap : 0))};
  auto held = std::make_shared<Message>(std::move(kick));
  backend_->submit(make_message(Request::SET_VRING_BASE, 0, state), [this, held](Result<Message> answer) {
    if (!answer) return finish(EndReason::backend_lost, answer.error().message);
    submit(std::move(*held));
  });
}

void Session::submit(Message message) {
  const bool wanted = rules_.wants_reply(message);
  const wire::VhostUserHeader header = message.header;
  // The back-end calls no more once it is destroyed, and it is destroyed before this session is.
  backend_->submit(std::move(message), [this, header, wanted](Result<Message> answer) {
    answered(header, wanted, std::move(answer));
  });
}

void Session::answered(wire::VhostUserHeader request, bool wanted, Result<Message> answer) {
  Message as_request;
  as_request.header = request;
  const double reply_us = answer ? static_cast<double>(now_ns() - request_t_) / 1000.0 : -1;
  context_.timeline.request(as_request, request_fds_, request_t_, reply_us);
  if (!answer)
    return finish(EndReason::backend_lost,
                  answer.error().message + " at " + std::string(wire::request_name(request.request)));
  const bool refused = !wanted && answer->as<uint64_t>().value_or(0) != 0;
  if (refused)
    return finish(EndReason::backend_lost, "it refused " + std::string(wire::request_name(request.request)));
  rules_.reply(static_cast<Request>(request.request), *answer);
  note_answer(static_cast<Request>(request.request), *answer);
  if (wanted) {
    context_.timeline.reply(*answer);
    channel_->send(std::move(*answer));
  }
  if (!ended_) channel_->next();
}

void Session::note_answer(Request request, const Message& answer) {
  const auto state = answer.as<wire::VringState>();
  if (request == Request::GET_VRING_BASE && state && state->index < virtqueues_.count())
    virtqueues_.stopped(static_cast<uint16_t>(state->index), static_cast<uint16_t>(state->num),
                        rules_.negotiated());
  on_accepted_(request);
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
