#include "vdev/gate/rules.hpp"

#include <algorithm>
#include <cstdio>

#include "vdev/gate/rules/descriptor_rules.hpp"
#include "vdev/gate/rules/log_rules.hpp"
#include "vdev/gate/rules/memory_rules.hpp"
#include "vdev/gate/rules/request_shape.hpp"
#include "vdev/gate/rules/vring_rules.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::gate {
namespace {

using wire::Feature;
using wire::Request;

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// What decides how a ring lies in memory.
constexpr uint64_t kRingFormat = bit(Feature::RING_PACKED) | bit(Feature::RING_EVENT_IDX);

// Also those that are never offered: whoever asks all the same waits for a value.
bool is_question(Request request) {
  switch (request) {
    case Request::GET_FEATURES:
    case Request::GET_PROTOCOL_FEATURES:
    case Request::GET_VRING_BASE:
    case Request::GET_QUEUE_NUM:
    case Request::GET_STATUS:
    case Request::GET_CONFIG:
    case Request::CREATE_CRYPTO_SESSION:
    case Request::POSTCOPY_ADVISE:
    case Request::POSTCOPY_END:
    case Request::GET_INFLIGHT_FD:
    case Request::GET_MAX_MEM_SLOTS:
    case Request::GET_SHARED_OBJECT:
    case Request::SET_DEVICE_STATE_FD:
    case Request::CHECK_DEVICE_STATE:
      return true;
    default:
      return false;
  }
}

}  // namespace

Rules::Rules(const Offer& offer) : offer_(offer) {
  said_.offered = offer.features;
  said_.protocol_offered = offer.protocol_features;
  said_.rings.resize(2u * offer.queue_pairs);
}

Verdict Rules::request(const Message& message, std::span<const FdFacts> fds) const {
  if (auto refusal = check_shape(message, said_)) return refusal;
  if (message.is(Request::SET_MEM_TABLE))
    if (auto refusal = check_region_count(message)) return refusal;
  if (auto refusal = check_descriptors(message, fds)) return refusal;
  switch (message.request()) {
    case Request::SET_FEATURES:
      return set_features(*message.as<uint64_t>());
    case Request::SET_PROTOCOL_FEATURES:
      return set_protocol_features(*message.as<uint64_t>());
    case Request::SET_MEM_TABLE:
      return check_memory(message, fds, said_);
    case Request::SET_LOG_BASE:
      return check_log(message, fds.front(), said_);
    default:
      return vring_of(message) ? about_vring(message) : kPass;
  }
}

Verdict Rules::set_features(uint64_t features) const {
  if (const uint64_t excess = features & ~said_.offered; excess != 0)
    return Refusal{Reason::features,
                   "the frontend sets what was not offered: " + joined(feature_names(excess)) + " (" +
                       hex(excess) + "); it has to be started anew"};
  const uint64_t changed = (features ^ said_.negotiated) & ~bit(Feature::LOG_ALL);
  const bool running =
      std::any_of(said_.rings.begin(), said_.rings.end(), [](const RingSaid& r) { return r.started(); });
  if (changed != 0 && running)
    return Refusal{Reason::running,
                   "SET_FEATURES would change " + joined(feature_names(changed)) + " while a ring runs"};
  Said after = said_;
  after.negotiated = features;
  return check_log_coverage(after);
}

Verdict Rules::set_protocol_features(uint64_t features) const {
  if (const uint64_t excess = features & ~said_.protocol_offered; excess != 0)
    return Refusal{Reason::protocol_features,
                   "the frontend sets what was not offered: " + joined(protocol_feature_names(excess))};
  return kPass;
}

Verdict Rules::about_vring(const Message& message) const {
  const uint32_t index = *vring_of(message);
  const std::string name(wire::request_name(message.header.request));
  if (index >= said_.rings.size())
    return Refusal{Reason::queues, name + " for virtqueue " + std::to_string(index) + "; this port has " +
                                       std::to_string(offer_.queue_pairs) + " queue pairs"};
  // The library frees the others when the features come anew, running or not.
  if (message.is(Request::SET_VRING_KICK) && index >= 2 && !said_.has(Feature::NET_MQ))
    return Refusal{Reason::queues, name + " for virtqueue " + std::to_string(index) + " without NET_MQ"};
  return check_vring(message, said_);
}

bool Rules::changes_nothing(const Message& message, std::span<const FdFacts> fds) const {
  // Deprecated, and to be ignored: the library would forget what was negotiated, and front-ends do not.
  if (message.is(Request::RESET_OWNER)) return true;
  return message.is(Request::SET_MEM_TABLE) && same_table(message, fds, said_);
}

void Rules::accepted(const Message& message, std::span<const FdFacts> fds) {
  switch (message.request()) {
    case Request::SET_FEATURES:
      return features_accepted(*message.as<uint64_t>());
    case Request::SET_PROTOCOL_FEATURES:
      said_.protocol = *message.as<uint64_t>();
      return;
    case Request::SET_MEM_TABLE:
      said_.table = regions_of(message);
      said_.files.clear();
      for (const FdFacts& file : fds) said_.files.push_back(file.id);
      for (RingSaid& ring : said_.rings) ring.address_fresh = ring.address_fresh && ring.started();
      return;
    case Request::SET_LOG_BASE:
      said_.log_size = message.as<wire::Log>()->size;
      return;
    default:
      if (vring_of(message)) vring_accepted(message);
  }
}

void Rules::features_accepted(uint64_t features) {
  const bool other_format = ((features ^ said_.negotiated) & kRingFormat) != 0;
  said_.negotiated = features;
  said_.features_set = true;
  for (size_t i = 0; i < said_.rings.size(); ++i) {
    RingSaid& ring = said_.rings[i];
    if (i >= 2 && !said_.has(Feature::NET_MQ)) ring = {};
    if (other_format) ring.size_fresh = ring.address_fresh = false;
  }
}

void Rules::vring_accepted(const Message& message) {
  RingSaid& ring = said_.rings[*vring_of(message)];
  switch (message.request()) {
    case Request::SET_VRING_NUM:
      ring.size = message.as<wire::VringState>()->num;
      ring.size_fresh = true;
      break;
    case Request::SET_VRING_ADDR:
      ring.address = message.as<wire::VringAddr>();
      ring.address_fresh = true;
      break;
    case Request::SET_VRING_BASE:
      ring.base = message.as<wire::VringState>()->num;
      break;
    case Request::SET_VRING_KICK:
      ring.kicked = true;
      break;
    case Request::GET_VRING_BASE:
      ring.kicked = ring.size_fresh = ring.address_fresh = false;
      ring.base.reset();
      break;
    default:
      break;
  }
}

void Rules::reply(Request request, Message& reply) {
  const auto value = reply.as<uint64_t>();
  if (!value) return;
  switch (request) {
    case Request::GET_FEATURES:
      said_.offered = *value & offer_.features;
      reply.replace(said_.offered);
      break;
    case Request::GET_PROTOCOL_FEATURES:
      said_.protocol_offered = *value & offer_.protocol_features;
      reply.replace(said_.protocol_offered);
      break;
    case Request::GET_QUEUE_NUM:
      reply.replace(std::min<uint64_t>(*value, offer_.queue_pairs));
      break;
    default:
      break;
  }
}

bool Rules::has_answer_of_its_own(const Message& message) const {
  if (is_question(message.request())) return true;
  return message.is(Request::SET_LOG_BASE) && said_.has(wire::ProtocolFeature::LOG_SHMFD);
}

bool Rules::wants_reply(const Message& message) const {
  return message.needs_reply() || has_answer_of_its_own(message);
}

bool Rules::says_no(Request request, const Message& answer) {
  return !is_question(request) && answer.as<uint64_t>().value_or(0) != 0;
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
