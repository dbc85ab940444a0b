// The port types of vdev: `vhost`, `nic` and `link`.
#pragma once

#include "core/graph/port_factory.hpp"
#include "vdev/gate/backend.hpp"

namespace testbed {

// `wrap` is put between every vhost-user session and its back-end.
void register_ports(PortFactories& factories, gate::BackendWrapper wrap = {});

}  // namespace testbed
