// Takes what could not be made out of a configuration, and out of the document that says what is in force.
#pragma once

#include <string>

#include "core/graph/config.hpp"

namespace testbed {

// The port or brick `name` and all its edges.
void leave_out(Config& config, const std::string& name);
void leave_out(Config& config, const EdgeConfig& edge);

}  // namespace testbed
