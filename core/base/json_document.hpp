// Parsing JSON that somebody else wrote.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "core/base/result.hpp"

namespace testbed {

// invalid_argument with line and column when it is not JSON, or is nested deeper than 64 levels (printing a
// document recurses: a megabyte of '[' would end the process).
Result<nlohmann::json> parse_json(std::string_view text);

}  // namespace testbed
