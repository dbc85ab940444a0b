// What a user can ask a leg to do wrong, and reading it from JSON. docs/protocol.md has the table.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "emu/proxy/recorder.hpp"

namespace testbed::proxy {

enum class FaultKind : uint8_t { cut, hold, delay, drop_reply, duplicate_reply, lose_fd, corrupt, slow };
std::string_view to_string(FaultKind kind);

// Which message a fault is about. A number is the `n` of the timeline; when that message is none the fault
// can act on (the other direction, no descriptors...), the next one that is counts.
struct Selector {
  std::optional<uint64_t> from_n;
  std::optional<uint32_t> request;
  std::optional<Side> from;

  bool anything() const { return !from_n && !request; }
  bool matches(const Recorded& message) const {
    return (!from_n || message.n >= *from_n) && (!request || message.request == *request) &&
           (!from || message.from == *from);
  }
};

struct FaultSpec {
  FaultKind kind;
  Selector which;
  uint64_t times = 1;   // sessions it fires in
  uint64_t for_ns = 0;  // hold, delay, slow: heals by itself after this long; 0: hold waits for proxy.heal,
                        // the others last as long as the session
  bool before = false;  // cut: instead of forwarding the message
  std::optional<uint64_t> bytes;       // hold: of the message that go through; absent: half
  uint64_t delay_ns = 0;               // delay
  std::optional<uint64_t> descriptor;  // lose_fd: which one, from 0; absent: the last
  uint64_t offset = 0;                 // corrupt: from the message's first byte (the header is 12)
  std::vector<std::byte> pattern;      // corrupt: what is written there
  uint64_t bytes_per_s = 0;            // slow
  nlohmann::json given;                // as it was asked for

  // Acts on all messages of a session, not on one.
  bool lasting() const { return kind == FaultKind::slow || (kind == FaultKind::delay && which.anything()); }
};

// `fault` is {"kind": ..., ...}; `path` is where it stands in the whole document. nullopt: see `mistakes`.
std::optional<FaultSpec> parse_fault(const nlohmann::json& fault, const std::string& path,
                                     Mistakes& mistakes);

}  // namespace testbed::proxy
