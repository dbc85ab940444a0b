// The outer form of each request the gate serves: how long its payload is, which descriptors come with it and
// what has to be negotiated first (specification, "Message types"). A request that stands not here reaches no
// back-end.
#pragma once

#include <cstdint>
#include <optional>

#include "vdev/gate/fd_facts.hpp"
#include "vdev/gate/message.hpp"
#include "vdev/gate/refusal.hpp"
#include "vdev/gate/rules/said.hpp"

namespace testbed::gate {

struct RequestShape {
  enum class Fds : uint8_t {
    none,
    notifier,  // one eventfd, or none if the payload says so
    memory,    // a file for each region
    file,
    socket,
    any,  // one
  };
  wire::Request request;
  uint32_t least, most;  // octets of payload
  Fds fds = Fds::none;
  std::optional<wire::ProtocolFeature> needs = std::nullopt;
};

// nullptr: the gate does not serve it.
const RequestShape* shape_of(uint32_t request);

// The virtqueue a message is about; nullopt for messages that are about none (or too short to tell).
std::optional<uint32_t> vring_of(const Message& message);

// Header, known request, negotiated, size: what can be said before the payload is looked at.
Verdict check_shape(const Message& message, const Said& said);

}  // namespace testbed::gate
