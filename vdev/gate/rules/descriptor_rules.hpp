// The descriptors of a message: their number and what they are.
#pragma once

#include <span>

#include "vdev/gate/rules/request_shape.hpp"

namespace testbed::gate {

// The message has its right size. `fds` are its descriptors, in order.
//
// A notifier is an eventfd: what every front-end sends. A pipe would do as well in the specification's eyes,
// but writing to a full one blocks the worker that calls.
Verdict check_descriptors(const Message& message, std::span<const FdFacts> fds);

}  // namespace testbed::gate
