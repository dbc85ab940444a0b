// The brick types there are.
#pragma once

#include "core/graph/brick_factory.hpp"

namespace testbed {

BrickFactories brick_factories();

}  // namespace testbed
