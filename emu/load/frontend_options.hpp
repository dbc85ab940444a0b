// What frontend.add asks for, checked: everything the driver would refuse late, with a log line, or silently
// do without.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/result.hpp"
#include "emu/flow/mac.hpp"

namespace testbed::load {

enum class Role : uint8_t { server, client };  // the frontend's own: a server listens on the socket

struct FrontendOptions {
  std::string name;
  std::string path;
  Role role = Role::server;
  bool packed = false;
  uint16_t queues = 1;        // pairs
  uint16_t queue_size = 256;  // descriptors
  bool in_order = true;
  bool mergeable = true;
  bool vectorized = false;
  flow::Mac mac;
  uint32_t spare_buffers =
      0;  // to receive into beyond what the rings hold: for a user that keeps what it gets
  uint32_t max_frame = 9000;  // octets without FCS; what a receive buffer holds when buffers cannot be merged
};

// The largest frame a port without mergeable buffers takes when nothing is said.
inline constexpr uint32_t kDefaultUnmergedFrame = 1518;

Result<FrontendOptions> read_frontend(const nlohmann::json& params);

// The arguments of the virtual device, as EAL takes them.
std::string device_arguments(const FrontendOptions& options);

}  // namespace testbed::load
