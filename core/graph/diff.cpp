#include "core/graph/diff.hpp"

#include <algorithm>

namespace testbed {
namespace {

using Nodes = std::map<std::string, NodeConfig>;

// Nodes of `before` that have to go: those that `after` lacks, and those that have to be made anew.
template <typename Anew>
std::set<std::string> leaving(const Nodes& before, const Nodes& after, Anew anew) {
  std::set<std::string> names;
  for (const auto& [name, node] : before) {
    const auto found = after.find(name);
    if (found == after.end() || anew(name, node, found->second)) names.insert(name);
  }
  return names;
}

std::set<std::string> arriving(const Nodes& before, const Nodes& after,
                               const std::set<std::string>& leaving) {
  std::set<std::string> names;
  for (const auto& [name, node] : after)
    if (!before.contains(name) || leaving.contains(name)) names.insert(name);
  return names;
}

bool touches(const EdgeConfig& edge, const std::set<std::string>& names) {
  return names.contains(edge.a.node) || names.contains(edge.b.node);
}

}  // namespace

std::vector<Action> diff(const Config& before, const Config& after, const std::set<std::string>& rebuild) {
  const auto ports_leaving = leaving(
      before.ports, after.ports, [](const auto&, const auto& was, const auto& is) { return !(was == is); });
  const auto bricks_leaving =
      leaving(before.bricks, after.bricks, [&](const auto& name, const auto& was, const auto& is) {
        return was.type != is.type || rebuild.contains(name);
      });
  std::set<std::string> gone = ports_leaving;
  gone.insert(bricks_leaving.begin(), bricks_leaving.end());
  std::set<EdgeConfig> edges_before(before.edges.begin(), before.edges.end());
  const std::set<EdgeConfig> edges_after(after.edges.begin(), after.edges.end());

  std::vector<Action> actions;
  for (const auto& edge : edges_before)
    if (!edges_after.contains(edge) || touches(edge, gone)) actions.emplace_back(RemoveEdge{edge});
  for (const auto& name : ports_leaving) actions.emplace_back(RemovePort{name});
  for (const auto& name : bricks_leaving) actions.emplace_back(RemoveBrick{name});
  for (const auto& [name, brick] : after.bricks) {
    const auto was = before.bricks.find(name);
    if (was != before.bricks.end() && !bricks_leaving.contains(name) && !(was->second == brick))
      actions.emplace_back(ConfigureBrick{name});
  }
  for (const auto& name : arriving(before.bricks, after.bricks, bricks_leaving))
    actions.emplace_back(AddBrick{name});
  for (const auto& name : arriving(before.ports, after.ports, ports_leaving))
    actions.emplace_back(AddPort{name});
  for (const auto& edge : edges_after)
    if (!edges_before.contains(edge) || touches(edge, gone)) actions.emplace_back(AddEdge{edge});
  return actions;
}

std::string to_string(const Action& action) {
  struct Words {
    std::string operator()(const RemoveEdge& a) const { return "remove edge " + a.edge.text(); }
    std::string operator()(const RemovePort& a) const { return "remove port " + a.name; }
    std::string operator()(const RemoveBrick& a) const { return "remove brick " + a.name; }
    std::string operator()(const ConfigureBrick& a) const { return "configure brick " + a.name; }
    std::string operator()(const AddBrick& a) const { return "add brick " + a.name; }
    std::string operator()(const AddPort& a) const { return "add port " + a.name; }
    std::string operator()(const AddEdge& a) const { return "add edge " + a.edge.text(); }
  };
  return std::visit(Words{}, action);
}

}  // namespace testbed
