// The port types of vdev: `vhost` and `nic`.
#pragma once

#include "core/graph/port_factory.hpp"

namespace testbed {

void register_ports(PortFactories& factories);

}  // namespace testbed
