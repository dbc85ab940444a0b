#include "emu/driver/session/handshake.hpp"

#include <cstring>

#include "vdev/wire/vhost_user_names.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::driver {

using wire::Feature;
using wire::ProtocolFeature;
using wire::Request;

namespace {

constexpr uint8_t kAcknowledge = 1, kDriver = 2;  // Virtio 1.2, 2.1

}  // namespace

std::vector<Request> usual_vring_order() {
  return {Request::SET_VRING_NUM,  Request::SET_VRING_BASE, Request::SET_VRING_ADDR,  Request::SET_VRING_ERR,
          Request::SET_VRING_CALL, Request::SET_VRING_KICK, Request::SET_VRING_ENABLE};
}

std::vector<wire::MemoryRegion> wire_regions(const GuestMemory& memory) {
  std::vector<wire::MemoryRegion> regions;
  for (const Region& region : memory.regions())
    regions.push_back({region.gpa, region.size, memory.user_address(region), region.offset});
  return regions;
}

Handshake::Handshake(Session& session, HandshakeSpec spec, HandshakeParty party, From from)
    : session_(session), spec_(std::move(spec)), party_(std::move(party)) {
  if (party_.memory_fd < 0 && party_.memory) party_.memory_fd = party_.memory->fd();
  session_.need_reply = spec_.need_reply;
  from == From::start ? plan_features() : plan_setup();
}

Result<bool> Handshake::run(std::optional<uint64_t> stop_after_messages,
                            const std::string& stop_after_request) {
  while (!steps_.empty()) {
    if (stop_after_messages && done_ >= *stop_after_messages) return false;
    const Step step = std::move(steps_.front());
    steps_.pop_front();
    ++done_;
    if (auto ok = step.run(); !ok) return tl::unexpected(ok.error());
    if (wire::request_name(static_cast<uint32_t>(step.request)) == stop_after_request && !steps_.empty())
      return false;
  }
  return true;
}

void Handshake::then_tell(Message message) {
  const auto request = static_cast<Request>(message.request);
  then(request, [this, message = std::move(message)] { return session_.tell(message); });
}

void Handshake::plan_features() {
  then(Request::GET_FEATURES, [this]() -> Result<void> {
    const auto offered = session_.ask(plain(Request::GET_FEATURES));
    if (!offered) return tl::unexpected(offered.error());
    session_.offered = *offered;
    session_.features = spec_.exact.value_or(*offered & spec_.wanted);
    if (session_.has_feature(bit(Feature::PROTOCOL_FEATURES)) && (*offered & bit(Feature::PROTOCOL_FEATURES)))
      plan_protocol();
    else
      plan_session();
    return {};
  });
}

void Handshake::plan_protocol() {
  then(Request::GET_PROTOCOL_FEATURES, [this]() -> Result<void> {
    const auto offered = session_.ask(plain(Request::GET_PROTOCOL_FEATURES));
    if (!offered) return tl::unexpected(offered.error());
    session_.offered_protocol = *offered;
    const uint64_t chosen = spec_.exact_protocol.value_or(*offered & spec_.wanted_protocol);
    then(Request::SET_PROTOCOL_FEATURES, [this, chosen]() -> Result<void> {
      auto told = session_.tell(number(Request::SET_PROTOCOL_FEATURES, chosen));
      session_.protocol_features = chosen;
      plan_session();
      return told;
    });
    return {};
  });
}

Result<void> Handshake::check_queues(uint64_t offered) const {
  if (offered >= party_.queues) return {};
  return fail(Errc::unsupported, "the backend has " + std::to_string(offered) + " queue pairs, not " +
                                     std::to_string(party_.queues));
}

void Handshake::plan_session() {
  if (session_.has(ProtocolFeature::MQ))
    then(Request::GET_QUEUE_NUM, [this]() -> Result<void> {
      const auto offered = session_.ask(plain(Request::GET_QUEUE_NUM));
      if (!offered) return tl::unexpected(offered.error());
      return check_queues(*offered);
    });
  if (session_.has(ProtocolFeature::BACKEND_REQ) && party_.backend_channel >= 0) {
    Message message = plain(Request::SET_BACKEND_REQ_FD);
    message.fds = {party_.backend_channel};
    then_tell(std::move(message));
  }
  then_tell(plain(Request::SET_OWNER));
  plan_setup();
}

void Handshake::plan_setup() {
  if (session_.has(ProtocolFeature::STATUS)) plan_status(kAcknowledge | kDriver, false);
  then(Request::SET_FEATURES, [this]() -> Result<void> {
    if (auto told = session_.tell(number(Request::SET_FEATURES, session_.features)); !told) return told;
    if (auto ok = party_.configure(session_.features); !ok) return ok;
    if (session_.has(ProtocolFeature::STATUS))
      plan_status(kAcknowledge | kDriver | wire::kStatusFeaturesOk, true);
    if (spec_.mtu && session_.has(ProtocolFeature::MTU)) then_tell(number(Request::NET_SET_MTU, spec_.mtu));
    plan_memory();
    if (party_.log) then_tell(log_base({party_.log->size(), party_.log->offset()}, party_.log->fd()));
    if (session_.has(ProtocolFeature::INFLIGHT_SHMFD) && party_.inflight) plan_inflight();
    for (uint16_t vring = 0; vring < 2 * party_.queues; ++vring) plan_vring(vring);
    if (session_.has(ProtocolFeature::STATUS) && spec_.driver_ok) then_tell(driver_ok());
    return {};
  });
}

Message driver_ok() {
  return number(Request::SET_STATUS,
                kAcknowledge | kDriver | wire::kStatusFeaturesOk | wire::kStatusDriverOk);
}

void Handshake::plan_status(uint8_t status, bool check) {
  then_tell(number(Request::SET_STATUS, status));
  if (!check) return;
  then(Request::GET_STATUS, [this]() -> Result<void> {
    const auto now = session_.ask(plain(Request::GET_STATUS));
    if (!now) return tl::unexpected(now.error());
    if (!(*now & wire::kStatusFeaturesOk))
      return fail(Errc::refused, "the backend does not keep FEATURES_OK");
    return {};
  });
}

void Handshake::plan_memory() {
  const auto regions = wire_regions(*party_.memory);
  if (!spec_.memory_slots || !session_.has(ProtocolFeature::CONFIGURE_MEM_SLOTS))
    return then_tell(memory_table(regions, party_.memory_fd));
  then(Request::GET_MAX_MEM_SLOTS, [this, count = regions.size()]() -> Result<void> {
    const auto slots = session_.ask(plain(Request::GET_MAX_MEM_SLOTS));
    if (!slots) return tl::unexpected(slots.error());
    if (*slots < count)
      return fail(Errc::unsupported, "the backend has " + std::to_string(*slots) + " memory slots");
    return {};
  });
  for (const wire::MemoryRegion& region : regions)
    then_tell(memory_region(Request::ADD_MEM_REG, region, party_.memory_fd));
}

void Handshake::plan_inflight() {
  if (!*party_.inflight)
    then(Request::GET_INFLIGHT_FD, [this]() -> Result<void> {
      const uint16_t vrings = 2 * party_.queues;
      auto reply = session_.exchange(
          inflight(Request::GET_INFLIGHT_FD, {0, 0, vrings, party_.vring(0).size}, -1), true);
      if (!reply) return tl::unexpected(reply.error());
      if ((*reply)->payload.size() != sizeof(wire::VhostUserInflight) || (*reply)->fds.size() != 1)
        return fail(Errc::protocol, "GET_INFLIGHT_FD was answered without an area and its descriptor");
      std::memcpy(party_.inflight_area, (*reply)->payload.data(), sizeof(wire::VhostUserInflight));
      *party_.inflight = std::move((*reply)->fds.front());
      return {};
    });
  then(Request::SET_INFLIGHT_FD, [this] {
    return session_.tell(inflight(Request::SET_INFLIGHT_FD, *party_.inflight_area, party_.inflight->get()));
  });
}

void Handshake::plan_vring(uint16_t vring) {
  const VringFacts facts = party_.vring(vring);
  for (const Request request : spec_.vring_order) plan_vring_step(request, vring, facts);
}

void Handshake::plan_vring_step(Request request, uint16_t vring, const VringFacts& facts) {
  switch (request) {
    case Request::SET_VRING_NUM:
      return then_tell(vring_state(request, vring, facts.size));
    case Request::SET_VRING_BASE:
      return then_tell(vring_state(request, vring, facts.base));
    case Request::SET_VRING_ADDR:
      return then_tell(vring_address(facts.address));
    case Request::SET_VRING_KICK:
      return then_tell(vring_file(request, vring, facts.kick));
    case Request::SET_VRING_CALL:
      return then_tell(vring_file(request, vring, facts.call));
    case Request::SET_VRING_ERR:
      return then_tell(vring_file(request, vring, facts.error));
    case Request::SET_VRING_ENABLE:
      // Without the feature bit rings are enabled from the start, and the message does not exist.
      if (session_.has_feature(bit(Feature::PROTOCOL_FEATURES)))
        then_tell(vring_state(request, vring, facts.enable));
      return;
    default:
      return;
  }
}

}  // namespace testbed::driver
