// vhost-user messages as a frontend writes them. A Message holds any octets: well-formed ones come from the
// builders below, malformed ones are put together by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "vdev/wire/vhost_user.hpp"

namespace testbed::driver {

struct Message {
  uint32_t request = 0;
  uint32_t flags = wire::kFlagVersion;
  std::vector<uint8_t> payload;
  std::vector<int> fds;          // of the caller; sending duplicates them
  std::optional<uint32_t> size;  // what the header says, when that is not the payload's size
};

// Header and payload as they go over the wire.
std::vector<uint8_t> encode(const Message& message);

// Which payload a request carries ("Front-end message types").
enum class PayloadKind : uint8_t {
  none,
  number,       // u64
  vring_state,  // {index, num}
  vring_address,
  vring_file,  // u64: index and the no-descriptor bit; one descriptor
  memory_table,
  memory_region,
  log,
  iotlb,
  inflight,
  config,
  device_state,
};

PayloadKind payload_kind(uint32_t request);
std::optional<uint32_t> request_number(std::string_view name);

// Whether the specification has the backend answer this request whatever NEED_REPLY says. `protocol_features`
// are the negotiated ones.
bool answered(uint32_t request, uint64_t protocol_features);

Message plain(wire::Request request);
Message number(wire::Request request, uint64_t value);
Message vring_state(wire::Request request, uint32_t index, uint32_t num);
Message vring_address(const wire::VringAddr& address);
// `fd` -1: the backend is to poll (or not to call).
Message vring_file(wire::Request request, uint32_t index, int fd);
// All regions lie in the file behind `fd`; at most wire::kMaxRegions.
Message memory_table(const std::vector<wire::MemoryRegion>& regions, int fd);
Message memory_region(wire::Request request, const wire::MemoryRegion& region, int fd);
Message log_base(const wire::Log& log, int fd);
Message iotlb(const wire::Iotlb& entry);
Message inflight(wire::Request request, const wire::VhostUserInflight& area, int fd);
Message config(wire::Request request, const wire::ConfigHeader& header, const std::vector<uint8_t>& bytes);
Message device_state(const wire::DeviceState& state, int fd);

}  // namespace testbed::driver
