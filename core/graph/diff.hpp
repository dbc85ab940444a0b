// From one configuration to the next: a pure function. Booting is the way from nothing, stopping the way to
// nothing, and every change the same way in between.
#pragma once

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/graph/config.hpp"

namespace testbed {

struct RemoveEdge {
  EdgeConfig edge;
};
struct RemovePort {
  std::string name;
};
struct RemoveBrick {
  std::string name;
};
struct ConfigureBrick {
  std::string name;
};
struct AddBrick {
  std::string name;
};
struct AddPort {
  std::string name;
};
struct AddEdge {
  EdgeConfig edge;
};

using Action = std::variant<RemoveEdge, RemovePort, RemoveBrick, ConfigureBrick, AddBrick, AddPort, AddEdge>;

// In the order in which they can be done: the order of Action's alternatives. A port or brick whose type
// changed, a port with any other option and the bricks in `rebuild` are removed and added, with their edges.
// Another option of a brick is configured.
std::vector<Action> diff(const Config& before, const Config& after,
                         const std::set<std::string>& rebuild = {});

// "add port p1"
std::string to_string(const Action& action);

}  // namespace testbed
