// The methods of testbed-switch (docs/protocol.md).
#pragma once

#include "core/base/rpc_server.hpp"
#include "core/control/switch.hpp"

namespace testbed {

// `control` outlives the server's last call.
void register_switch_methods(RpcServer& rpc, Switch& control);

}  // namespace testbed
