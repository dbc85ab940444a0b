// The `session` of a port's description (docs/protocol.md), read from the gate and the guest's own memory;
// the library is not asked, because it may be at work on the device at this moment.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "vdev/gate/session.hpp"

namespace testbed::vhost {

// `enabled` by virtqueue.
nlohmann::json describe_session(const gate::Session& session, const std::vector<bool>& enabled,
                                const gate::PortMemory& memory);

}  // namespace testbed::vhost
