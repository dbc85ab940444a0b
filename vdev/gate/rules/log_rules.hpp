// The dirty log: SET_LOG_BASE, and what it has to cover.
#pragma once

#include <span>

#include "vdev/gate/fd_facts.hpp"
#include "vdev/gate/message.hpp"
#include "vdev/gate/refusal.hpp"
#include "vdev/gate/rules/said.hpp"

namespace testbed::gate {

// SET_LOG_BASE with its one descriptor.
Verdict check_log(const Message& message, const FdFacts& file, const Said& said);

// A log that is in use has a bit for every page of the memory table: a bit that could not be set would be a
// page that migration loses. A front-end makes a larger log before it adds memory.
Verdict check_log_coverage(const Said& said);

}  // namespace testbed::gate
