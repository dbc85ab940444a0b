// The one place where messages are judged, between reading and acting on them: requests before the back-end
// sees them, replies before the front-end does.
//
// What stands here now: the features a port offers, and the number of its queues. The answers are a pure
// function of the message and of what was negotiated before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vdev/gate/message.hpp"

namespace testbed::gate {

struct Offer {
  uint64_t features;           // virtio features, at most; what the back-end can is intersected with it
  uint64_t protocol_features;  // likewise
  uint16_t queue_pairs;
};

// A session that breaks a rule ends with session.refused {reason, detail}.
struct Refusal {
  std::string reason;  // one word: "features", "protocol_features", "queues", "malformed"
  std::string detail;
};

class Rules {
 public:
  // A front-end that does not ask what is offered (it remembers) is held to all that may be.
  explicit Rules(const Offer& offer)
      : offer_(offer), offered_(offer.features), protocol_offered_(offer.protocol_features) {}

  // nullopt: it may pass.
  std::optional<Refusal> request(const Message& message);
  // Masks and caps what the back-end offers to what this port offers.
  void reply(wire::Request request, Message& reply);
  // Does the front-end wait for an answer to this? (Specification, "Communication" and REPLY_ACK.)
  bool wants_reply(const Message& message) const;

  uint64_t offered() const { return offered_; }
  uint64_t negotiated() const { return negotiated_; }
  uint64_t protocol_features() const { return protocol_; }

 private:
  std::optional<Refusal> set_features(uint64_t features);
  std::optional<Refusal> set_protocol_features(uint64_t features);
  std::optional<Refusal> check_vring(const Message& message) const;

  Offer offer_;
  uint64_t offered_;
  uint64_t protocol_offered_;
  uint64_t negotiated_ = 0;
  uint64_t protocol_ = 0;
};

// The virtqueue a message is about; nullopt for messages that are about none (or too short to tell).
std::optional<uint32_t> vring_of(const Message& message);
// The octets of payload a request must at least carry.
size_t least_payload(wire::Request request);

std::vector<std::string> feature_names(uint64_t features);
std::vector<std::string> protocol_feature_names(uint64_t features);
std::string hex(uint64_t value);

}  // namespace testbed::gate
