// The `session` of a port's description (docs/protocol.md), read from the gate and the guest's own memory;
// the library is not asked, because it may be at work on the device at this moment.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "vdev/gate/session.hpp"

namespace testbed::gate {

// The index of a split ring's available or used ring, as it stands in the guest's memory.
std::optional<uint16_t> split_index(const GuestMemory& memory, uint64_t ring);

// `enabled` by virtqueue.
nlohmann::json describe_session(const Session& session, const std::vector<bool>& enabled,
                                const PortMemory& memory);

}  // namespace testbed::gate
