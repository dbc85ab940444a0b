// What frontend.add says about a frontend of the driver (docs/protocol.md, "testbed-driver").
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/base/result.hpp"
#include "emu/driver/memory/guest_memory.hpp"
#include "emu/driver/net/net_layout.hpp"
#include "emu/driver/session/handshake.hpp"
#include "emu/flow/mac.hpp"

namespace testbed::driver {

struct FrontendSpec {
  std::string name, path;
  bool server = false;
  flow::Mac mac;
  NetSpec net;
  MemorySpec memory;
  bool fill = false;       // memory that nothing uses holds something, as in a guest that has run for a while
  std::string state_file;  // empty: forgotten with the process
  HandshakeSpec handshake;
  std::optional<uint16_t> first;  // where empty rings begin
  bool automatic = true;          // connects, and connects again, by itself
  bool interrupts = true;         // sleeps until the backend calls
  bool hello = true;              // announces its addresses
  bool answer_backend = true;     // requests on the backend's channel
  uint64_t iotlb_page = 0;  // an IOTLB miss is answered with so many octets around it; 0: with its region
  uint64_t answer_within_ns = 5'000'000'000;
};

// Files of a memory that outlives the process go to `directory`. `inherited` is this frontend's descriptor,
// or -1.
Result<FrontendSpec> read_frontend(const nlohmann::json& params, const std::string& directory, int inherited);

}  // namespace testbed::driver
