// testbed-switch as a function of the parts it is made of: its main is a call of this.
#pragma once

#include <functional>

#include "core/app/switch_app.hpp"

namespace testbed {

struct Parts {
  PortFactories ports;
  BrickFactories bricks = brick_factories();
  // Once, after the switch's own RPC methods are there and before the first port is made.
  std::function<void(Process&, Switch&)> started = [](Process&, Switch&) {};
};

// The exit status: 0 shut down, 1 the system refused something, 2 a wrong command line or configuration.
int run_program(int argc, char** argv, const Parts& parts);

}  // namespace testbed
