// What the switch says about itself, for programs, monitoring and people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/control/graph.hpp"
#include "core/worker/worker_domain.hpp"

namespace testbed {

// The `counters` reply of docs/protocol.md.
nlohmann::json counters_document(const Graph& graph, const WorkerDomain& domain);

// OpenMetrics 1.0 text.
std::string metrics_text(const Graph& graph, const WorkerDomain& domain);

// Graphviz.
std::string dot_text(const Graph& graph, const nlohmann::json& ports);

}  // namespace testbed
