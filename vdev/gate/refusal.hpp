// Why a message, or a session, was refused. The words are stable: events, counters and metrics say them, and
// docs/hostile-peers.md lists the rules behind each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace testbed::gate {

enum class Reason : uint8_t {
  header,             // another version of the protocol, or a reply nobody asked for
  unknown,            // no request of the specification
  unnegotiated,       // a request that belongs to what was not negotiated
  malformed,          // a payload of another size than the request takes, or a value it cannot have
  descriptors,        // too many, too few, or of the wrong kind
  features,           // virtio features that were not offered
  protocol_features,  // likewise
  queues,             // a virtqueue the port does not have
  order,              // too early
  running,            // a running ring would change under the device's hands
  memory,             // the memory table
  vring,              // size, addresses or position of a ring
  log,                // the dirty log
  shrunk,             // a file of guest memory became shorter than its region
  deadline,           // half a message, or an answer nobody reads
  backend,            // the back-end refused what the rules let through
  busy,               // a second connection
  count_,             // not a reason
};

inline constexpr size_t kReasons = static_cast<size_t>(Reason::count_);
inline constexpr std::array<std::string_view, kReasons> kReasonNames = {
    "header",   "unknown", "unnegotiated", "malformed", "descriptors", "features", "protocol_features",
    "queues",   "order",   "running",      "memory",    "vring",       "log",      "shrunk",
    "deadline", "backend", "busy"};

constexpr std::string_view to_string(Reason reason) {
  return kReasonNames[static_cast<size_t>(reason)];
}

struct Refusal {
  Reason reason;
  std::string detail;
};

using Verdict = std::optional<Refusal>;  // nullopt: it may pass
inline const Verdict kPass = std::nullopt;

}  // namespace testbed::gate
