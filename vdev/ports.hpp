// The port types of vdev: `vhost`, `nic` and `link`.
#pragma once

#include "core/graph/port_factory.hpp"

namespace testbed {

void register_ports(PortFactories& factories);

}  // namespace testbed
