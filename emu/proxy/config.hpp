// The proxy's configuration: {"legs": {name: {"front": {"path", "role"}, "back": {...}, "faults": [...]}}}.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "emu/proxy/leg.hpp"

namespace testbed::proxy {

// Relative paths are taken from `dir`. All mistakes at once.
Result<LegConfig> parse_leg(const std::string& name, const nlohmann::json& leg, const std::string& dir);
Result<std::vector<LegConfig>> parse_config(const nlohmann::json& document, const std::string& dir);

}  // namespace testbed::proxy
