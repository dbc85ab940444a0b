// Payloads of vhost-user messages from and to documents.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/result.hpp"
#include "emu/driver/session/message.hpp"

namespace testbed::driver {

// What stands in for fields a script leaves out.
struct PayloadDefaults {
  std::vector<wire::MemoryRegion> regions;
  wire::Log log{};
  std::vector<wire::VringAddr> addresses;  // by vring
  wire::VhostUserInflight inflight{};
};

// `payload`: {"hex": "..."} for any request; a number or {"u64"} for those that carry one; else an object
// with the fields of the specification. Errc::invalid_argument names every mistake.
Result<std::vector<uint8_t>> read_payload(uint32_t request, const nlohmann::json& payload,
                                          const PayloadDefaults& defaults);
Result<std::vector<uint8_t>> from_hex(const std::string& text);
std::string to_hex_bytes(const uint8_t* bytes, size_t length);

// An integer, or a string as "0x1000".
Result<uint64_t> read_integer(const nlohmann::json& value);

}  // namespace testbed::driver
