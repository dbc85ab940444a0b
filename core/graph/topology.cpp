#include "core/graph/topology.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace testbed {
namespace {

std::string join(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// What is wrong with this end, "" for nothing.
std::string fault_of(const EndConfig& end, const Config& config, const BrickFactories& types) {
  if (config.ports.contains(end.node))
    return end.side.empty() ? "" : "port " + end.node + " has no sides; write " + end.node;
  const auto brick = config.bricks.find(end.node);
  if (brick == config.bricks.end()) return "there is no port or brick " + end.node;
  const auto type = types.find(brick->second.type);
  if (type == types.end()) return "";  // said elsewhere
  const auto& sides = type->second.sides;
  if (sides.empty())
    return end.side.empty() ? ""
                            : "brick " + end.node + " (" + type->first + ") has no sides; write " + end.node;
  if (std::ranges::find(sides, end.side) != sides.end()) return "";
  return "brick " + end.node + " (" + type->first + ") has the sides " + join(sides) + "; write " + end.node +
         "." + sides.front();
}

// Which nodes hang together (union-find).
class Trees {
 public:
  // False: they already did.
  bool join(const std::string& a, const std::string& b) {
    const std::string root_a = root(a), root_b = root(b);
    parent_[root_a] = root_b;
    return root_a != root_b;
  }

 private:
  std::string root(const std::string& node) {
    auto at = parent_.try_emplace(node, node).first;
    while (at->second != at->first) {
      const auto next = parent_.find(at->second);
      at->second = next->second;  // halves the way for the next search
      at = next;
    }
    return at->first;
  }
  std::map<std::string, std::string> parent_;
};

void check_ends(const Config& config, const BrickFactories& types, Mistakes& mistakes) {
  std::map<std::string, std::string> taken;  // by the end's text: sides and ports take one edge
  for (const auto& edge : config.edges) {
    for (const auto& end : {edge.a, edge.b}) {
      if (auto fault = fault_of(end, config, types); !fault.empty()) {
        mistakes.push_back({edge.where, std::move(fault)});
        continue;
      }
      if (end.side.empty() && !config.ports.contains(end.node)) continue;
      const auto [other, first] = taken.try_emplace(end.text(), edge.where);
      if (!first)
        mistakes.push_back({edge.where, end.text() + " already has an edge (" + other->second + ")"});
    }
  }
}

void check_loops(const Config& config, Mistakes& mistakes) {
  Trees trees;
  std::map<EdgeConfig, std::string> seen;
  for (const auto& edge : config.edges) {
    const auto [other, first] = seen.try_emplace(edge, edge.where);
    if (!first) {
      mistakes.push_back({edge.where, "the edge " + edge.text() + " is there twice (" + other->second + ")"});
    } else if (!trees.join(edge.a.node, edge.b.node)) {
      mistakes.push_back(
          {edge.where, "the edge " + edge.text() + " closes a loop: a flooded frame would circle for ever"});
    }
  }
}

using Neighbours = std::map<std::string, std::vector<std::string>>;

// Bricks on the longest way that starts at `node` and does not return to `from`; `longest` is raised to the
// longest that passes through.
uint16_t descend(const std::string& node, const std::string& from, const Config& config,
                 const Neighbours& neighbours, std::set<std::string>& visited, uint16_t& longest) {
  visited.insert(node);
  uint16_t first = 0, second = 0;
  if (const auto found = neighbours.find(node); found != neighbours.end()) {
    for (const auto& next : found->second) {
      if (next == from) continue;
      const uint16_t way = descend(next, node, config, neighbours, visited, longest);
      second = std::max(second, std::min(first, way));
      first = std::max(first, way);
    }
  }
  const uint16_t self = config.bricks.contains(node) ? 1 : 0;
  longest = std::max(longest, static_cast<uint16_t>(first + second + self));
  return static_cast<uint16_t>(first + self);
}

}  // namespace

void check_topology(const Config& config, const BrickFactories& types, Mistakes& mistakes) {
  const size_t before = mistakes.size();
  for (const auto& [name, port] : config.ports)
    if (config.bricks.contains(name)) mistakes.push_back({"ports." + name, "a brick has this name too"});
  check_ends(config, types, mistakes);
  check_loops(config, mistakes);
  if (mistakes.size() > before) return;  // what follows needs a forest
  if (const uint16_t depth = longest_way(config); depth > kMaxDepth)
    mistakes.push_back({"edges", "a packet would pass " + std::to_string(depth) + " bricks; at most " +
                                     std::to_string(kMaxDepth) + " are possible"});
}

uint16_t longest_way(const Config& config) {
  Neighbours neighbours;
  for (const auto& edge : config.edges) {
    neighbours[edge.a.node].push_back(edge.b.node);
    neighbours[edge.b.node].push_back(edge.a.node);
  }
  uint16_t longest = 0;
  std::set<std::string> visited;
  for (const auto& [name, brick] : config.bricks)
    if (!visited.contains(name)) descend(name, "", config, neighbours, visited, longest);
  return longest;
}

}  // namespace testbed
