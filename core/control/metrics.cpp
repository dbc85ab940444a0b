// OpenMetrics: what monitoring reads.
#include "core/control/report.hpp"

namespace testbed {
namespace {

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

// One family of OpenMetrics samples.
class Family {
 public:
  enum class Type : uint8_t { counter, gauge };
  Family(std::string& text, std::string name, const std::string& help, Type type = Type::counter)
      : text_(text), name_(std::move(name)), suffix_(type == Type::counter ? "_total" : "") {
    text_ += "# TYPE " + name_ + (type == Type::counter ? " counter" : " gauge") + "\n# HELP " + name_ + " " +
             help + "\n";
  }
  void add(const std::string& labels, uint64_t value) {
    text_ += name_ + suffix_ + "{" + labels + "} " + std::to_string(value) + "\n";
  }

 private:
  std::string& text_;
  std::string name_, suffix_;
};

std::string queue_labels(const std::string& port, size_t queue) {
  return "port=" + quoted(port) + ",queue=" + quoted(std::to_string(queue));
}

void add_ports(std::string& text, const Graph& graph) {
  std::map<std::string, PortSums> sums;
  for (const auto& [name, node] : graph.ports()) sums.emplace(name, node.counters->sum());
  const auto family = [&](const char* metric, const char* help, uint64_t QueueSums::*field) {
    Family all(text, metric, help);
    for (const auto& [name, port] : sums)
      for (size_t q = 0; q < port.queues.size(); ++q) all.add(queue_labels(name, q), port.queues[q].*field);
  };
  family("testbed_port_received_packets", "Packets received by a port.", &QueueSums::rx_packets);
  family("testbed_port_received_bytes", "Octets received by a port.", &QueueSums::rx_bytes);
  family("testbed_port_sent_packets", "Packets sent by a port.", &QueueSums::tx_packets);
  family("testbed_port_sent_bytes", "Octets sent by a port.", &QueueSums::tx_bytes);
  family("testbed_queue_busy_cycles", "TSC cycles spent on what came in by a receive queue.",
         &QueueSums::busy_cycles);
}

void add_workers(std::string& text, const WorkerDomain& domain) {
  {
    Family owners(text, "testbed_queue_worker", "The worker that polls a receive queue.",
                  Family::Type::gauge);
    for (const auto& [name, workers] : domain.owners())
      for (size_t q = 0; q < workers.size(); ++q) owners.add(queue_labels(name, q), workers[q]);
  }
  const auto family = [&](const char* metric, const char* help, uint64_t Worker::Activity::*field) {
    Family all(text, metric, help);
    for (size_t id = 0; id < domain.all().size(); ++id)
      all.add("worker=" + quoted(std::to_string(id)), domain.all()[id].activity().*field);
  };
  family("testbed_worker_busy_cycles", "TSC cycles of rounds in which a worker had packets.",
         &Worker::Activity::busy_cycles);
  family("testbed_worker_received_packets", "Packets a worker received.", &Worker::Activity::packets);
  family("testbed_worker_polls", "Rounds of a worker over its queues.", &Worker::Activity::polls);
}

void add_drops(Family& family, const std::string& node, const DropSums& drops) {
  for (size_t i = 0; i < kDropReasons; ++i)
    family.add(node + ",reason=" + quoted(std::string(kDropNames[i])), drops[i]);
}

}  // namespace

std::string metrics_text(const Graph& graph, const WorkerDomain& domain) {
  std::string text;
  add_ports(text, graph);
  add_workers(text, domain);
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
  Family(text, "testbed_replicated_packets", "Packets made of others: by flooding, and by cutting TCP segments.").add("", totals.replicated);
  Family(text, "testbed_sent_packets", "Packets sent by all ports.").add("", totals.sent);
  Family(text, "testbed_discarded_packets", "Packets dropped under any name.").add("", totals.dropped);
  return text + "# EOF\n";
}

}  // namespace testbed
