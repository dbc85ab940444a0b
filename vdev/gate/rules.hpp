// The one place where messages are judged, between reading and acting on them: requests before the back-end
// sees them, replies before the front-end does. Pure: an answer depends on the message, on what its
// descriptors are, and on what was said before it. What is judged of which message stands in rules/, by
// subject.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vdev/gate/fd_facts.hpp"
#include "vdev/gate/message.hpp"
#include "vdev/gate/refusal.hpp"
#include "vdev/gate/rules/said.hpp"

namespace testbed::gate {

struct Offer {
  uint64_t features;           // virtio features, at most; what the back-end can is intersected with it
  uint64_t protocol_features;  // likewise
  uint16_t queue_pairs;
};

class Rules {
 public:
  // A front-end that does not ask what is offered (it remembers) is held to all that may be.
  explicit Rules(const Offer& offer);

  // `fds` describes the message's descriptors, in order.
  Verdict request(const Message& message, std::span<const FdFacts> fds) const;
  // The back-end took it (or the gate did, in its place): what later messages are judged by.
  void accepted(const Message& message, std::span<const FdFacts> fds);
  // Would this change nothing? Such a message needs no back-end.
  bool changes_nothing(const Message& message, std::span<const FdFacts> fds) const;
  // Masks and caps what the back-end offers to what this port offers.
  void reply(wire::Request request, Message& reply);
  // Does it wait for an answer that is a value, in which there is no room for yes and no?
  bool has_answer_of_its_own(const Message& message) const;
  // Does the front-end wait for an answer to this? (Specification, "Communication" and REPLY_ACK.)
  bool wants_reply(const Message& message) const;
  // Did the back-end say no? Not of requests whose answer is a value.
  static bool says_no(wire::Request request, const Message& answer);

  const Said& said() const { return said_; }
  uint64_t offered() const { return said_.offered; }
  uint64_t negotiated() const { return said_.negotiated; }
  uint64_t protocol_features() const { return said_.protocol; }

 private:
  Verdict set_features(uint64_t features) const;
  Verdict set_protocol_features(uint64_t features) const;
  Verdict about_vring(const Message& message) const;
  void features_accepted(uint64_t features);
  void vring_accepted(const Message& message);

  Offer offer_;
  Said said_;
};

std::vector<std::string> feature_names(uint64_t features);
std::vector<std::string> protocol_feature_names(uint64_t features);
std::string hex(uint64_t value);

}  // namespace testbed::gate
