// The desired configuration (docs/protocol.md), parsed. Values that compare: two configurations are all that
// diff() needs.
#pragma once

#include <compare>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/graph/placement.hpp"

namespace testbed {

struct NodeConfig {
  std::string type;
  nlohmann::json options = nlohmann::json::object();  // without "type" and, for ports, "to" and "workers"
  bool operator==(const NodeConfig&) const = default;
};

// One end of an edge: "lan" or "tap.west".
struct EndConfig {
  std::string node, side;
  std::string text() const { return side.empty() ? node : node + "." + side; }
  auto operator<=>(const EndConfig&) const = default;
};

// Undirected: a < b. `where` is the edge's place in the document, for messages.
struct EdgeConfig {
  EndConfig a, b;
  std::string where;
  std::string text() const { return a.text() + " - " + b.text(); }
  bool joins(const std::string& node) const { return a.node == node || b.node == node; }
  bool operator==(const EdgeConfig& other) const { return a == other.a && b == other.b; }
  auto operator<=>(const EdgeConfig& other) const {
    const auto order = a <=> other.a;
    return order != 0 ? order : b <=> other.b;
  }
};

struct Config {
  std::map<std::string, NodeConfig> bricks;
  std::map<std::string, NodeConfig> ports;
  std::vector<EdgeConfig> edges;  // `to` included
  Placement placement;
  nlohmann::json document = nlohmann::json::object();  // as the user wrote it
};

}  // namespace testbed
