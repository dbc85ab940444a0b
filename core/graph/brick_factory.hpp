// How a brick comes into being: its type's name in the configuration leads to a factory
// (bricks/register.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/event_log.hpp"
#include "core/base/options.hpp"
#include "core/base/result.hpp"
#include "core/graph/brick.hpp"

namespace testbed {

// Outlives every brick.
struct BrickEnvironment {
  EventLog& events;
  uint16_t workers;
  std::string directory;  // absolute, writable
};

struct BrickType {
  std::vector<std::string>
      sides;  // what stands behind the dot, each for one edge; empty: any number of edges without a side
  // Checks the options: pure. `peers` are the names at the other ends of the brick's edges.
  std::function<void(Options& options, const std::set<std::string>& peers)> check;
  // Control thread. `options` passed check().
  std::function<Result<std::unique_ptr<Brick>>(const std::string& name, const nlohmann::json& options,
                                               BrickEnvironment& environment)>
      create;
};

using BrickFactories = std::map<std::string, BrickType>;

}  // namespace testbed
