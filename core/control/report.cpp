#include "core/control/report.hpp"

#include <rte_cycles.h>

#include "core/base/clock.hpp"

namespace testbed {

using nlohmann::json;

namespace {

json drops_document(const DropSums& drops) {
  json all = json::object();
  for (size_t i = 0; i < kDropReasons; ++i)
    if (drops[i] > 0) all[std::string(kDropNames[i])] = drops[i];
  return all;
}

json sums_document(const QueueSums& sums) {
  return {{"rx_packets", sums.rx_packets},
          {"rx_bytes", sums.rx_bytes},
          {"tx_packets", sums.tx_packets},
          {"tx_bytes", sums.tx_bytes}};
}

// `workers`: who polls each receive queue.
json port_document(const PortSums& sums, const std::vector<uint16_t>& workers) {
  json port = sums_document(sums.all);
  port["replicated"] = sums.replicated;
  port["drops"] = drops_document(sums.drops);
  port["queues"] = json::array();
  for (size_t queue = 0; queue < sums.queues.size(); ++queue) {
    json entry = sums_document(sums.queues[queue]);
    entry["busy_cycles"] = sums.queues[queue].busy_cycles;
    if (queue < workers.size()) entry["worker"] = workers[queue];
    port["queues"].push_back(std::move(entry));
  }
  return port;
}

json brick_document(const BrickNode& node) {
  const BrickSums sums = node.counters->sum();
  json brick = node.brick->describe();
  brick["forwarded"] = sums.forwarded;
  brick["flooded"] = sums.flooded;
  brick["replicated"] = sums.replicated;
  brick["drops"] = drops_document(sums.drops);
  return brick;
}

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

}  // namespace

json counters_document(const Graph& graph, const WorkerDomain& domain) {
  json ports = json::object(), bricks = json::object();
  auto owners = domain.owners();
  for (const auto& [name, node] : graph.ports())
    ports[name] = port_document(node.counters->sum(), owners[name]);
  for (const auto& [name, node] : graph.bricks()) bricks[name] = brick_document(node);
  const Totals totals = graph.totals();
  return {{"t", now_ns()},
          {"cycles_per_s", rte_get_tsc_hz()},
          {"ports", std::move(ports)},
          {"bricks", std::move(bricks)},
          {"totals",
           {{"received", totals.received},
            {"replicated", totals.replicated},
            {"sent", totals.sent},
            {"dropped", totals.dropped}}}};
}

std::string dot_text(const Graph& graph, const json& ports) {
  std::string text = "graph testbed {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n";
  for (const auto& [name, node] : graph.ports()) {
    const json& port = ports.at(name);
    text += "  " + quoted(name) + " [shape=box, label=\"" + name + "\\n" + port.value("type", "") + " " +
            port.value("state", "") + "\"];\n";
  }
  for (const auto& [name, node] : graph.bricks())
    text += "  " + quoted(name) + " [shape=ellipse, style=filled, fillcolor=\"#e8f0fe\", label=\"" + name +
            "\\n" + node.brick->describe().value("type", "") + "\"];\n";
  for (const auto& [edge, members] : graph.edges())
    text += "  " + quoted(edge.a.node) + " -- " + quoted(edge.b.node) + " [taillabel=" + quoted(edge.a.side) +
            ", headlabel=" + quoted(edge.b.side) + "];\n";
  return text + "}\n";
}

}  // namespace testbed
