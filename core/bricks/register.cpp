#include "core/bricks/register.hpp"

#include "core/bricks/capture_brick.hpp"
#include "core/bricks/hub_brick.hpp"
#include "core/bricks/switch_brick.hpp"

namespace testbed {

BrickFactories brick_factories() {
  return {{"switch", SwitchBrick::type()}, {"hub", HubBrick::type()}, {"capture", CaptureBrick::type()}};
}

}  // namespace testbed
