#include "core/control/report.hpp"

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

json queue_document(const QueueSums& sums) {
  return {{"rx_packets", sums.rx_packets},
          {"rx_bytes", sums.rx_bytes},
          {"tx_packets", sums.tx_packets},
          {"tx_bytes", sums.tx_bytes}};
}

json port_document(const PortSums& sums) {
  json port = queue_document(sums.all);
  port["drops"] = drops_document(sums.drops);
  port["queues"] = json::array();
  for (const auto& queue : sums.queues) port["queues"].push_back(queue_document(queue));
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

// One family of OpenMetrics counters.
class Family {
 public:
  Family(std::string& text, std::string name, const std::string& help) : text_(text), name_(std::move(name)) {
    text_ += "# TYPE " + name_ + " counter\n# HELP " + name_ + " " + help + "\n";
  }
  void add(const std::string& labels, uint64_t value) {
    text_ += name_ + "_total{" + labels + "} " + std::to_string(value) + "\n";
  }

 private:
  std::string& text_;
  std::string name_;
};

void add_ports(std::string& text, const Graph& graph) {
  std::map<std::string, PortSums> sums;
  for (const auto& [name, node] : graph.ports()) sums.emplace(name, node.counters->sum());
  const auto family = [&](const char* metric, const char* help, uint64_t QueueSums::*field) {
    Family all(text, metric, help);
    for (const auto& [name, port] : sums)
      for (size_t q = 0; q < port.queues.size(); ++q)
        all.add("port=" + quoted(name) + ",queue=" + quoted(std::to_string(q)), port.queues[q].*field);
  };
  family("testbed_port_received_packets", "Packets received by a port.", &QueueSums::rx_packets);
  family("testbed_port_received_bytes", "Octets received by a port.", &QueueSums::rx_bytes);
  family("testbed_port_sent_packets", "Packets sent by a port.", &QueueSums::tx_packets);
  family("testbed_port_sent_bytes", "Octets sent by a port.", &QueueSums::tx_bytes);
}

void add_drops(Family& family, const std::string& node, const DropSums& drops) {
  for (size_t i = 0; i < kDropReasons; ++i)
    family.add(node + ",reason=" + quoted(std::string(kDropNames[i])), drops[i]);
}

}  // namespace

json counters_document(const Graph& graph) {
  json ports = json::object(), bricks = json::object();
  for (const auto& [name, node] : graph.ports()) ports[name] = port_document(node.counters->sum());
  for (const auto& [name, node] : graph.bricks()) bricks[name] = brick_document(node);
  const Totals totals = graph.totals();
  return {{"t", now_ns()},
          {"ports", std::move(ports)},
          {"bricks", std::move(bricks)},
          {"totals",
           {{"received", totals.received},
            {"replicated", totals.replicated},
            {"sent", totals.sent},
            {"dropped", totals.dropped}}}};
}

std::string metrics_text(const Graph& graph) {
  std::string text;
  add_ports(text, graph);
  {
    Family drops(text, "testbed_dropped_packets", "Packets not forwarded, by node and reason.");
    for (const auto& [name, node] : graph.ports())
      add_drops(drops, "port=" + quoted(name), node.counters->sum().drops);
    for (const auto& [name, node] : graph.bricks())
      add_drops(drops, "brick=" + quoted(name), node.counters->sum().drops);
  }
  {
    Family refused(text, "testbed_port_refusals",
                   "Messages and connections of peers that were refused, by reason.");
    for (const auto& [name, node] : graph.ports()) {
      const nlohmann::json reasons = node.port->refused();  // items() refers to it
      for (const auto& [reason, count] : reasons.items())
        refused.add("port=" + quoted(name) + ",reason=" + quoted(reason), count.get<uint64_t>());
    }
  }
  {
    Family replicated(text, "testbed_brick_replicated_packets", "Extra copies made by flooding.");
    for (const auto& [name, node] : graph.bricks())
      replicated.add("brick=" + quoted(name), node.counters->sum().replicated);
  }
  const Totals totals = graph.totals();
  Family(text, "testbed_received_packets", "Packets received by all ports, removed ones included.")
      .add("", totals.received);
  Family(text, "testbed_replicated_packets", "Extra copies made by flooding.").add("", totals.replicated);
  Family(text, "testbed_sent_packets", "Packets sent by all ports.").add("", totals.sent);
  Family(text, "testbed_discarded_packets", "Packets dropped under any name.").add("", totals.dropped);
  return text + "# EOF\n";
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
