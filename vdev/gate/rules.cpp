#include "vdev/gate/rules.hpp"

#include <cstdio>

#include "vdev/wire/vhost_user_names.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::gate {
namespace {

using wire::Request;

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace

size_t least_payload(Request request) {
  switch (request) {
    case Request::SET_FEATURES:
    case Request::SET_PROTOCOL_FEATURES:
    case Request::SET_VRING_KICK:
    case Request::SET_VRING_CALL:
    case Request::SET_VRING_ERR:
    case Request::SEND_RARP:
    case Request::NET_SET_MTU:
    case Request::SET_STATUS:
      return sizeof(uint64_t);
    case Request::SET_VRING_NUM:
    case Request::SET_VRING_BASE:
    case Request::GET_VRING_BASE:
    case Request::SET_VRING_ENABLE:
      return sizeof(wire::VringState);
    case Request::SET_VRING_ADDR:
      return sizeof(wire::VringAddr);
    case Request::SET_MEM_TABLE:
      return wire::kMemoryTableHead;
    default:
      return 0;
  }
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

std::optional<Refusal> Rules::request(const Message& message) {
  if (message.payload.size() < least_payload(message.request()))
    return Refusal{"malformed", std::string(wire::request_name(message.header.request)) +
                                    " with a payload of " + std::to_string(message.payload.size()) +
                                    " bytes; it takes at least " +
                                    std::to_string(least_payload(message.request()))};
  switch (message.request()) {
    case Request::SET_FEATURES:
      return set_features(*message.as<uint64_t>());
    case Request::SET_PROTOCOL_FEATURES:
      return set_protocol_features(*message.as<uint64_t>());
    default:
      return check_vring(message);
  }
}

std::optional<Refusal> Rules::set_features(uint64_t features) {
  if (const uint64_t excess = features & ~offered_; excess != 0)
    return Refusal{"features", "the frontend sets what was not offered: " + joined(feature_names(excess)) +
                                   " (" + hex(excess) + "); it has to be started anew"};
  negotiated_ = features;
  return std::nullopt;
}

std::optional<Refusal> Rules::set_protocol_features(uint64_t features) {
  if (const uint64_t excess = features & ~protocol_offered_; excess != 0)
    return Refusal{"protocol_features",
                   "the frontend sets what was not offered: " + joined(protocol_feature_names(excess))};
  protocol_ = features;
  return std::nullopt;
}

std::optional<Refusal> Rules::check_vring(const Message& message) const {
  const auto index = vring_of(message);
  if (!index || *index < 2u * offer_.queue_pairs) return std::nullopt;
  return Refusal{"queues", std::string(wire::request_name(message.header.request)) + " for virtqueue " +
                               std::to_string(*index) + "; this port has " +
                               std::to_string(offer_.queue_pairs) + " queue pairs"};
}

void Rules::reply(Request request, Message& reply) {
  const auto value = reply.as<uint64_t>();
  if (!value) return;
  switch (request) {
    case Request::GET_FEATURES:
      offered_ = *value & offer_.features;
      reply.replace(offered_);
      break;
    case Request::GET_PROTOCOL_FEATURES:
      protocol_offered_ = *value & offer_.protocol_features;
      reply.replace(protocol_offered_);
      break;
    case Request::GET_QUEUE_NUM:
      reply.replace(std::min<uint64_t>(*value, offer_.queue_pairs));
      break;
    default:
      break;
  }
}

bool Rules::wants_reply(const Message& message) const {
  if (message.needs_reply()) return true;
  switch (message.request()) {
    case Request::GET_FEATURES:
    case Request::GET_PROTOCOL_FEATURES:
    case Request::GET_VRING_BASE:
    case Request::GET_QUEUE_NUM:
    case Request::GET_CONFIG:
    case Request::CREATE_CRYPTO_SESSION:
    case Request::POSTCOPY_ADVISE:
    case Request::POSTCOPY_END:
    case Request::GET_INFLIGHT_FD:
    case Request::GET_MAX_MEM_SLOTS:
    case Request::GET_STATUS:
    case Request::GET_SHARED_OBJECT:
    case Request::SET_DEVICE_STATE_FD:
    case Request::CHECK_DEVICE_STATE:
      return true;
    case Request::SET_LOG_BASE:
      return (protocol_ & bit(wire::ProtocolFeature::LOG_SHMFD)) != 0;
    default:
      return false;
  }
}

std::vector<std::string> feature_names(uint64_t features) {
  std::vector<std::string> names;
  for (const auto& [feature, name] : wire::kFeatureNames) {
    if ((features & bit(feature)) != 0) names.emplace_back(name);
    features &= ~bit(feature);
  }
  for (int i = 0; i < 64; ++i)
    if ((features >> i & 1) != 0) names.push_back("bit " + std::to_string(i));
  return names;
}

std::vector<std::string> protocol_feature_names(uint64_t features) {
  std::vector<std::string> names;
  for (size_t i = 0; i < 64; ++i)
    if ((features >> i & 1) != 0)
      names.push_back(i < wire::kProtocolFeatureNames.size() ? std::string(wire::kProtocolFeatureNames[i])
                                                             : "bit " + std::to_string(i));
  return names;
}

std::string hex(uint64_t value) {
  char text[19];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace testbed::gate
