// Is this graph one that packets can be sent through? Pure checks of a configuration's nodes and edges.
#pragma once

#include <cstdint>

#include "core/base/result.hpp"
#include "core/graph/brick_factory.hpp"
#include "core/graph/config.hpp"

namespace testbed {

// Bricks on one way from port to port. Bounds the executor's recursion and its scratch memory.
inline constexpr uint16_t kMaxDepth = 32;
// Keeps member numbers and tables small, and the checks' recursion shallow.
inline constexpr size_t kMaxPorts = 16384, kMaxBricks = 1024;

// Names taken twice, edges that lead nowhere or to sides that do not exist or are taken, edges written twice,
// ports with more than one edge, loops (a flooded frame would circle in them for ever), ways longer than
// kMaxDepth.
void check_topology(const Config& config, const BrickFactories& types, Mistakes& mistakes);

// The most bricks on one way through the graph, which is a forest.
uint16_t longest_way(const Config& config);

}  // namespace testbed
