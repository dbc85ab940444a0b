#include "vdev/ring/ring_session.hpp"

#include <algorithm>
#include <utility>

#include "vdev/gate/call.hpp"
#include "vdev/gate/offered.hpp"
#include "vdev/gate/rules/request_shape.hpp"
#include "vdev/wire/virtio_features.hpp"
#include "vdev/wire/virtio_net.hpp"

namespace testbed::ring {
namespace {

using gate::Message;
using wire::Feature;
using wire::Request;

// IPv4's least (RFC 791), as the library has it.
constexpr uint64_t kLeastMtu = 68;

// The descriptor of a notifier message; empty: it says that there is none.
std::shared_ptr<Fd> notifier(Message& message) {
  if (message.fds.empty()) return nullptr;
  return std::make_shared<Fd>(std::move(message.fds.front()));
}

}  // namespace

RingSession::RingSession(const gate::Session& session, gate::PortMemory& memory, std::vector<Walk>& walks,
                         SessionUser& user, uint64_t features, uint64_t protocol_features)
    : session_(session),
      memory_(memory),
      walks_(walks),
      user_(user),
      capability_(features),
      protocol_capability_(protocol_features),
      vrings_(walks.size()) {
}

RingSession::~RingSession() {
  user_.retire();
}

void RingSession::submit(Message request, Answer answer) {
  const Request kind = request.request();
  if (kind == Request::GET_VRING_BASE) {
    const auto index = *request.as<uint32_t>();
    return answer(gate::make_message(kind, wire::kFlagReply, wire::VringState{index, static_cast<uint32_t>(stop(
                                                                                         static_cast<uint16_t>(index)))}));
  }
  answer(gate::make_message(kind, wire::kFlagReply, obey(request)));
}

uint64_t RingSession::obey(Message& request) {
  const auto value = request.as<uint64_t>().value_or(0);
  const auto index = static_cast<uint16_t>(gate::vring_of(request).value_or(0));
  Vring* const vring = index < vrings_.size() ? &vrings_[index] : nullptr;
  if (vring == nullptr) return 1;
  switch (request.request()) {
    case Request::GET_FEATURES:
      return capability_;
    case Request::GET_PROTOCOL_FEATURES:
      return protocol_capability_;
    case Request::GET_QUEUE_NUM:
      return vrings_.size() / 2;
    case Request::GET_STATUS:
      return status_;
    case Request::SET_STATUS:
      return set_status(static_cast<uint8_t>(value));
    case Request::SET_FEATURES:
      return set_features(value);
    case Request::SET_PROTOCOL_FEATURES:
      return 0;  // the gate holds the front-end to them
    case Request::SET_MEM_TABLE:
      return set_memory();
    case Request::SET_LOG_BASE:
      publish();
      return 0;
    case Request::SET_VRING_NUM:
      vring->size = static_cast<uint16_t>(request.as<wire::VringState>()->num);
      return 0;
    case Request::SET_VRING_BASE:
      vring->base = static_cast<uint16_t>(request.as<wire::VringState>()->num);
      return 0;
    case Request::SET_VRING_ADDR:
      vring->address = request.as<wire::VringAddr>();
      if (vring->kicked) publish();  // it runs: only where its used ring is logged may change
      return 0;
    case Request::SET_VRING_KICK:
      return start(index, notifier(request));
    case Request::SET_VRING_CALL:
      vring->call = notifier(request);
      if (vring->kicked) publish();
      return 0;
    case Request::SET_VRING_ERR:
      vring->error = notifier(request);
      return 0;
    case Request::SET_VRING_ENABLE:
      enable(index, request.as<wire::VringState>()->num != 0);
      return 0;
    case Request::SEND_RARP:
      user_.announce(value);
      return 0;
    case Request::NET_SET_MTU:
      if (value < kLeastMtu || value > 0xffff) return 1;
      mtu_ = static_cast<uint16_t>(value);
      publish();
      return 0;
    case Request::SET_BACKEND_REQ_FD:
      if (!request.fds.empty()) backend_channel_ = std::move(request.fds.front());
      return 0;
    default:
      return 0;  // SET_OWNER, RESET_OWNER, SET_LOG_FD: nothing to do
  }
}

uint64_t RingSession::set_features(uint64_t features) {
  const bool logging = has(Feature::LOG_ALL) != ((features & bit(Feature::LOG_ALL)) != 0);
  features_ = features;
  if (logging) publish();
  return 0;
}

// A device that was reset uses no buffer (Virtio 1.2, 2.1.2). Front-ends say so before they stop the rings,
// and start rings before they say that the driver is ready.
uint64_t RingSession::set_status(uint8_t status) {
  status_ = status;
  const bool ready = (status & wire::kStatusDriverOk) != 0;
  if (const bool reset = status == 0 || (reset_ && !ready); std::exchange(reset_, reset) != reset) publish();
  return 0;
}

// The gate has the table already, and has seen that running rings lie in it.
uint64_t RingSession::set_memory() {
  auto map = GuestMap::map(session_.virtqueues().guest_memory().regions());
  if (!map) return 1;
  map_ = std::move(*map);
  publish();
  return 0;
}

uint64_t RingSession::start(uint16_t index, std::shared_ptr<Fd> kick) {
  Vring& vring = vrings_[index];
  vring.kick = std::move(kick);
  if (!vring.kicked) {
    auto lane = this->lane(index);
    if (!lane) return 1;
    Walk& walk = walks_[index];
    if (has(Feature::RING_PACKED)) {
      walk.packed = lane->packed.resume(vring.base);
      lane->packed.want_kicks(walk.packed, false);
    } else {
      walk.split = lane->split.resume(vring.base);
      lane->split.want_kicks(walk.split, false);
    }
    walk.stuck.store(Fault::none, std::memory_order_relaxed);
    vring.kicked = true;
    reset_ = false;
    // Without PROTOCOL_FEATURES there is no SET_VRING_ENABLE (specification, "Ring states").
    if (!has(Feature::PROTOCOL_FEATURES)) vring.enabled = true;
  }
  publish();
  return 0;
}

// The position, as GET_VRING_BASE has it: for a packed ring that of the driver's buffers in bits 0-15 and that of the
// used ones in bits 16-31. They are the same, because no worker has the ring any more.
uint64_t RingSession::stop(uint16_t index) {
  Vring& vring = vrings_[index];
  const bool ran = std::exchange(vring.kicked, false);
  vring.discarded = false;
  if (!has(Feature::PROTOCOL_FEATURES)) vring.enabled = false;
  if (ran) publish();
  vring.kick = vring.call = nullptr;
  if (!ran) return vring.base;
  if (!packed()) return vring.base = SplitRing::position(walks_[index].split);
  vring.base = PackedRing::position(walks_[index].packed);
  return vring.base | static_cast<uint32_t>(vring.base) << 16;
}

void RingSession::enable(uint16_t index, bool on) {
  Vring& vring = vrings_[index];
  vring.discarded = !on && (vring.enabled || vring.discarded);
  vring.enabled = on;
  publish();
}

void RingSession::report_error(uint16_t vring) const {
  if (vrings_[vring].error) gate::call_driver(vrings_[vring].error->get());
}

std::vector<bool> RingSession::enabled() const {
  std::vector<bool> all;
  for (const Vring& vring : vrings_) all.push_back(vring.kicked && vring.enabled);
  return all;
}

bool RingSession::packed() const {
  return has(Feature::RING_PACKED);
}

RingTraits RingSession::traits() const {
  return {has(Feature::RING_EVENT_IDX), has(Feature::RING_INDIRECT_DESC)};
}

// A split ring is logged where the front-end says. A packed one at the guest-physical addresses of its parts, which
// follow from the memory table, and where the front-end says, whatever it means by that.
RingLog RingSession::ring_log(const Vring& vring) const {
  const auto& log = session_.virtqueues().log();
  if (!has(Feature::LOG_ALL) || !log) return {};
  const bool said = (vring.address->flags & 1) != 0;
  if (!packed()) return said ? RingLog{log.get(), vring.address->log} : RingLog{};
  const auto ring = map_->guest_of_user(vring.address->descriptor);
  const auto event = map_->guest_of_user(vring.address->used);
  return ring && event ? RingLog{log.get(), *ring, *event, said ? vring.address->log : 0} : RingLog{};
}

Result<Lane> RingSession::lane(uint16_t index) {
  const Vring& vring = vrings_[index];
  Lane lane;
  if (!map_ || !vring.address) return fail(Errc::refused, "a ring without memory or addresses");
  if (packed()) {
    auto ring = PackedRing::place(*map_, *vring.address, vring.size, traits(), ring_log(vring));
    if (!ring) return tl::unexpected(ring.error());
    lane.packed = *ring;
  } else {
    auto ring = SplitRing::place(*map_, *vring.address, vring.size, traits(), ring_log(vring));
    if (!ring) return tl::unexpected(ring.error());
    lane.split = *ring;
  }
  lane.enabled = vring.enabled;
  lane.discard = !vring.enabled && vring.discarded && index % 2 == 1;
  lane.kick = vring.kick;
  lane.call = vring.call;
  lane.record = &memory_.ring(index);
  lane.walk = &walks_[index];
  return lane;
}

std::unique_ptr<SessionView> RingSession::make_view() {
  auto view = std::make_unique<SessionView>();
  view->map = map_;
  view->packed = packed();
  if (has(Feature::LOG_ALL)) view->log = session_.virtqueues().log();
  view->terms = {map_.get(), view->log.get(), mtu_ > 0 ? mtu_ + gate::kFrameOverhead : kLongestFrame,
                 sizeof(wire::VirtioNetHeaderMergeable), has(Feature::NET_MRG_RXBUF)};
  if (!has(Feature::NET_MRG_RXBUF) && !has(Feature::VERSION_1) && !packed())
    view->terms.header = sizeof(wire::VirtioNetHeader);
  view->terms.gives = {has(Feature::NET_CSUM), has(Feature::NET_HOST_TSO4), has(Feature::NET_HOST_TSO6)};
  view->terms.takes = {has(Feature::NET_GUEST_CSUM), has(Feature::NET_GUEST_TSO4), has(Feature::NET_GUEST_TSO6)};
  for (uint16_t index = 0; index < vrings_.size(); ++index) {
    auto& lanes = index % 2 == 0 ? view->transmit : view->receive;
    lanes.emplace_back();
    if (!vrings_[index].kicked) continue;
    if (auto ring = lane(index)) lanes.back() = std::move(*ring);
    if (index % 2 == 0 && lanes.back().enabled) view->outlets.push_back(index / 2);
  }
  return view;
}

void RingSession::publish() {
  const bool runs = std::any_of(vrings_.begin(), vrings_.end(), [](const Vring& v) { return v.kicked; });
  user_.publish(runs && map_ && !reset_ ? make_view() : nullptr);
}

}  // namespace testbed::ring
