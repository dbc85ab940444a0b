#include "vdev/gate/rules/request_shape.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::gate {
namespace {

using wire::ProtocolFeature;
using wire::Request;
using Fds = RequestShape::Fds;

constexpr uint32_t kU64 = sizeof(uint64_t);
constexpr uint32_t kState = sizeof(wire::VringState);
constexpr uint32_t kAddr = sizeof(wire::VringAddr);

// SET_MEM_TABLE: at least one region; a front-end may send the whole array. GET_QUEUE_NUM is asked by some
// before they have set MQ, which hurts nobody.
constexpr std::array kShapes = {
    RequestShape{Request::GET_FEATURES, 0, 0},
    RequestShape{Request::SET_FEATURES, kU64, kU64},
    RequestShape{Request::SET_OWNER, 0, 0},
    RequestShape{Request::RESET_OWNER, 0, 0},
    RequestShape{Request::SET_MEM_TABLE, wire::kMemoryTableHead + sizeof(wire::MemoryRegion),
                 sizeof(wire::MemoryTable), Fds::memory},
    RequestShape{Request::SET_LOG_BASE, sizeof(wire::Log), sizeof(wire::Log), Fds::file,
                 ProtocolFeature::LOG_SHMFD},
    RequestShape{Request::SET_LOG_FD, 0, kU64, Fds::any},
    RequestShape{Request::SET_VRING_NUM, kState, kState},
    RequestShape{Request::SET_VRING_ADDR, kAddr, kAddr},
    RequestShape{Request::SET_VRING_BASE, kState, kState},
    RequestShape{Request::GET_VRING_BASE, kState, kState},
    RequestShape{Request::SET_VRING_KICK, kU64, kU64, Fds::notifier},
    RequestShape{Request::SET_VRING_CALL, kU64, kU64, Fds::notifier},
    RequestShape{Request::SET_VRING_ERR, kU64, kU64, Fds::notifier},
    RequestShape{Request::GET_PROTOCOL_FEATURES, 0, 0},
    RequestShape{Request::SET_PROTOCOL_FEATURES, kU64, kU64},
    RequestShape{Request::GET_QUEUE_NUM, 0, 0},
    RequestShape{Request::SET_VRING_ENABLE, kState, kState},
    RequestShape{Request::SEND_RARP, kU64, kU64, Fds::none, ProtocolFeature::RARP},
    RequestShape{Request::NET_SET_MTU, kU64, kU64, Fds::none, ProtocolFeature::MTU},
    RequestShape{Request::SET_BACKEND_REQ_FD, 0, kU64, Fds::socket, ProtocolFeature::BACKEND_REQ},
    RequestShape{Request::SET_STATUS, kU64, kU64, Fds::none, ProtocolFeature::STATUS},
    RequestShape{Request::GET_STATUS, 0, kU64, Fds::none, ProtocolFeature::STATUS},
};

Verdict check_header(const Message& message) {
  const uint32_t flags = message.header.flags;
  if ((flags & wire::kFlagVersionMask) != wire::kFlagVersion)
    return Refusal{Reason::header, "version " + std::to_string(flags & wire::kFlagVersionMask) +
                                       " of the protocol; there is only version 1"};
  if ((flags & wire::kFlagReply) != 0) return Refusal{Reason::header, "a reply, and nothing was asked"};
  return kPass;
}

}  // namespace

const RequestShape* shape_of(uint32_t request) {
  const auto found = std::find_if(kShapes.begin(), kShapes.end(), [&](const RequestShape& shape) {
    return static_cast<uint32_t>(shape.request) == request;
  });
  return found == kShapes.end() ? nullptr : &*found;
}

std::optional<uint32_t> vring_of(const Message& message) {
  switch (message.request()) {
    case Request::SET_VRING_KICK:
    case Request::SET_VRING_CALL:
    case Request::SET_VRING_ERR:
      if (const auto value = message.as<uint64_t>())
        return static_cast<uint32_t>(*value & wire::kVringIndexMask);
      return std::nullopt;
    case Request::SET_VRING_NUM:
    case Request::SET_VRING_BASE:
    case Request::GET_VRING_BASE:
    case Request::SET_VRING_ENABLE:
    case Request::SET_VRING_ADDR:
      if (const auto index = message.as<uint32_t>()) return *index;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

Verdict check_shape(const Message& message, const Said& said) {
  if (auto refusal = check_header(message)) return refusal;
  const uint32_t request = message.header.request;
  const std::string name(wire::request_name(request));
  if (request == 0 || request > wire::kLastRequest)
    return Refusal{Reason::unknown, "request " + std::to_string(request)};
  const RequestShape* shape = shape_of(request);
  if (shape == nullptr) return Refusal{Reason::unnegotiated, name + " belongs to what is not offered"};
  if (shape->needs && !said.has(*shape->needs))
    return Refusal{
        Reason::unnegotiated,
        name + " without " + std::string(wire::kProtocolFeatureNames[static_cast<size_t>(*shape->needs)])};
  const size_t size = message.payload.size();
  if (size >= shape->least && size <= shape->most) return kPass;
  return Refusal{Reason::malformed,
                 name + " with a payload of " + std::to_string(size) + " bytes; it takes " +
                     std::to_string(shape->least) +
                     (shape->least == shape->most ? "" : " to " + std::to_string(shape->most))};
}

}  // namespace testbed::gate
