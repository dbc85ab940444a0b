// The part of Session that starts rings.
#include "vdev/gate/rules/request_shape.hpp"
#include "vdev/gate/session.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::gate {

using wire::Request;

// The parts of a ring come in any order. The back-end gets the kick, which starts it, when it has the others.
void Session::kick(Message message) {
  const uint32_t index = *vring_of(message);
  const RingSaid& ring = rules_.said().rings[index];
  if (!ring.complete()) {
    const Message said = Message{message.header, message.payload, {}};
    waiting_kicks_.insert_or_assign(index, std::move(message));
    return answer_here(said);
  }
  if (ring.kicked) return submit(std::move(message));  // another descriptor, not a start
  auto own = std::make_shared<Messages>(before_start(static_cast<uint16_t>(index)));
  auto held = std::make_shared<Message>(std::move(message));
  submit_own(std::move(own), 0, [this, held] { submit(std::move(*held)); });
}

// What the back-end is told before the kick that starts a ring: its size, if that was said before the ring
// last stopped (the library has freed what belongs to it), and where a packed ring stands.
Session::Messages Session::before_start(uint16_t index) {
  Messages own;
  const RingSaid& ring = rules_.said().rings[index];
  if (!ring.size_fresh)
    own.push_back(make_message(Request::SET_VRING_NUM, 0, wire::VringState{index, *ring.size}));
  const auto resumption = virtqueues_.start(index, rules_.negotiated());
  if (!resumption) return own;
  nlohmann::json event = fields();
  event["queue"] = resumption->queue;
  event["position"] = resumption->position;
  event["wrap"] = resumption->wrap;
  event["committed"] = resumption->committed;
  event["source"] = resumption->source;
  event["frontend_base"] = resumption->base;
  context_.events.emit("ring.resumed", std::move(event));
  const uint32_t wrap = resumption->wrap ? wire::kPositionWrap : 0;
  if (virtqueues_.queue(index).packed)
    own.push_back(
        make_message(Request::SET_VRING_BASE, 0, wire::VringState{index, resumption->position | wrap}));
  return own;
}

// After a message that may have brought the last part of a ring whose kick waits. True: the ring is being
// started, and the next message is read when it has been.
bool Session::start_waiting(const Message& said) {
  const auto index = vring_of(said);
  const auto waiting = index ? waiting_kicks_.find(*index) : waiting_kicks_.end();
  if (waiting == waiting_kicks_.end() || !rules_.said().rings[*index].started()) return false;
  auto own = std::make_shared<Messages>(before_start(static_cast<uint16_t>(*index)));
  own->push_back(std::move(waiting->second));
  waiting_kicks_.erase(waiting);
  submit_own(std::move(own), 0, [this] {
    on_accepted_(Request::SET_VRING_KICK);
    channel_->next();
  });
  return true;
}

void Session::submit_own(std::shared_ptr<Messages> messages, size_t first, std::function<void()> then) {
  if (first == messages->size()) return then();
  Message& message = (*messages)[first];
  const Request request = message.request();
  backend_->submit(std::move(message), [this, messages, first, request, then](Result<Message> answer) {
    if (!answer) return finish(EndReason::backend_lost, answer.error().message);
    if (Rules::says_no(request, *answer))
      return finish(EndReason::backend_lost,
                    "it refused " + std::string(wire::request_name(static_cast<uint32_t>(request))));
    submit_own(messages, first + 1, then);
  });
}

}  // namespace testbed::gate
