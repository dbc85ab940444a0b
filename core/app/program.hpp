// testbed-switch as a function of the parts it is made of: its main is a call of this, and so is that of
// every program that has the whole switch in it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/app/switch_app.hpp"

namespace testbed {

struct Parts {
  std::string name = "testbed-switch";
  PortFactories ports;
  BrickFactories bricks = brick_factories();
  uint32_t more_memory_mb = 0;             // on top of what the switch asks for
  std::vector<std::string> eal_arguments;  // besides the switch's
  // Once, after the switch's own RPC methods are there and before the first port is made.
  std::function<void(Process&, Switch&)> started = [](Process&, Switch&) {};
  // When the first configuration is in force.
  std::function<void(Process&)> booted = [](Process&) {};
  // After a graceful shutdown, when the switch is closed; after a boot that failed, too. False: something is
  // left that only the process's end gives back.
  std::function<bool()> ended = [] { return true; };
};

// The exit status: 0 shut down, 1 the system refused something, 2 a wrong command line or configuration.
int run_program(int argc, char** argv, const Parts& parts);

}  // namespace testbed
