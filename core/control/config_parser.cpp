#include "core/control/config_parser.hpp"

#include <sched.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/graph/topology.hpp"
#include "core/worker/worker_domain.hpp"

namespace testbed {

using nlohmann::json;

namespace {

constexpr size_t kMaxName = 64;

StartSettings read_start(Options& root, const StartSettings& defaults) {
  StartSettings settings = defaults;
  settings.workers =
      static_cast<uint16_t>(root.number("workers", defaults.workers, 1, WorkerDomain::kMaxWorkers));
  settings.memory_mb = static_cast<uint32_t>(root.number("memory_mb", defaults.memory_mb, 16, 1u << 20));
  settings.mbufs = static_cast<uint32_t>(root.number("mbufs", defaults.mbufs, 512, 1u << 22));
  settings.hugepages = root.flag("hugepages", defaults.hugepages);
  settings.datapath = root.choice("datapath", {"library", "ring"}, defaults.datapath);
  const json& cpus = root.raw("cpus");
  if (cpus.is_null()) return settings;
  settings.cpus.clear();
  for (const auto& cpu : cpus.is_array() ? cpus : json::array({cpus})) {
    if (cpu.is_number_integer() && cpu >= 0 && cpu < CPU_SETSIZE)
      settings.cpus.push_back(cpu.get<int>());
    else
      root.mistake("cpus", "must be a list of cpu numbers, not " + cpus.dump());
  }
  return settings;
}

// The entries of an object of objects; what is not one is a mistake.
std::vector<std::pair<std::string, const json*>> entries(const std::string& key, Options& root,
                                                         Mistakes& mistakes) {
  std::vector<std::pair<std::string, const json*>> all;
  const json& object = root.raw(key);
  if (object.is_null()) return all;
  if (!object.is_object()) {
    root.mistake(key, std::string("must be an object of name -> options, not ") + object.type_name());
    return all;
  }
  for (const auto& [name, value] : object.items()) {
    const bool plain =
        std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
    if (name.empty() || name.size() > kMaxName || !plain)
      mistakes.push_back({key + "." + name, "a name has 1 to 64 letters, digits, _ and -"});
    else if (!value.is_object())
      mistakes.push_back({key + "." + name, std::string("must be an object, not ") + value.type_name()});
    else
      all.emplace_back(name, &value);
  }
  return all;
}

std::string known(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

EndConfig parse_end(const std::string& text) {
  const size_t dot = text.find('.');
  return dot == std::string::npos ? EndConfig{text, ""}
                                  : EndConfig{text.substr(0, dot), text.substr(dot + 1)};
}

EdgeConfig make_edge(EndConfig a, EndConfig b, std::string where) {
  if (b < a) std::swap(a, b);
  return {std::move(a), std::move(b), std::move(where)};
}

// A port's `workers`: empty when it says none.
std::vector<uint16_t> read_workers(Options& port, uint16_t running) {
  const json& written = port.raw("workers");
  if (written.is_null()) return {};
  std::vector<uint16_t> workers;
  for (const auto& worker : written.is_array() ? written : json::array({written})) {
    if (!worker.is_number_integer() || worker < 0 || worker >= running) {
      port.mistake("workers",
                   "must name workers from 0 to " + std::to_string(running - 1) + ", not " + worker.dump());
      return {};
    }
    workers.push_back(worker.get<uint16_t>());
  }
  if (workers.empty()) port.mistake("workers", "must name one worker at least");
  return workers;
}

Placement read_placement(Options& root) {
  Placement placement;
  constexpr auto& names = kPolicyNames;
  const std::string policy = root.choice("assignment", {names[0], names[1], names[2]}, std::string(names[0]));
  placement.policy = static_cast<AssignmentPolicy>(std::ranges::find(names, policy) - names.begin());
  placement.rebalance_ms = root.number("rebalance_ms", placement.rebalance_ms, 100, 3'600'000);
  return placement;
}

void read_ports(Config& config, Options& root, uint16_t workers, const PortFactories& types,
                Mistakes& mistakes) {
  for (const auto& [name, value] : entries("ports", root, mistakes)) {
    const std::string path = "ports." + name;
    NodeConfig node{"", *value};
    Options own(*value, path, mistakes);
    node.type = own.text("type");
    const json& to = own.raw("to");
    if (to.is_string())
      config.edges.push_back(make_edge({name, ""}, parse_end(to.get<std::string>()), path + ".to"));
    else if (!to.is_null())
      own.mistake("to", "must be a string like \"lan\" or \"tap.west\"");
    if (auto pinned = read_workers(own, workers); !pinned.empty())
      config.placement.pinned.emplace(name, std::move(pinned));
    for (const char* ours : {"type", "to", "workers"}) node.options.erase(ours);
    if (const PortType* type = types.find(node.type)) {
      Options options(node.options, path, mistakes);
      type->check(options);
      options.done();
    } else if (!node.type.empty()) {
      own.mistake("type", "there is no port type '" + node.type + "'; there are: " + known(types.names()));
    }
    config.ports.emplace(name, std::move(node));
  }
  if (config.ports.size() > kMaxPorts)
    root.mistake("ports", "at most " + std::to_string(kMaxPorts) + " are possible");
}

void read_edges(Config& config, Options& root) {
  const json& edges = root.raw("edges");
  if (!edges.is_null() && !edges.is_array())
    root.mistake("edges", R"(must be a list like [["p0", "tap.west"]])");
  for (size_t i = 0; edges.is_array() && i < edges.size(); ++i) {
    const std::string where = "edges[" + std::to_string(i) + "]";
    const json& edge = edges[i];
    if (edge.is_array() && edge.size() == 2 && edge[0].is_string() && edge[1].is_string())
      config.edges.push_back(make_edge(parse_end(edge[0]), parse_end(edge[1]), where));
    else
      root.mistake(where, R"(must be two ends like ["p0", "tap.west"])");
  }
}

// After the edges: a brick's options may name its peers.
void read_bricks(Config& config, Options& root, const BrickFactories& types, Mistakes& mistakes) {
  for (const auto& [name, value] : entries("bricks", root, mistakes)) {
    const std::string path = "bricks." + name;
    NodeConfig node{"", *value};
    Options own(*value, path, mistakes);
    node.type = own.text("type");
    node.options.erase("type");
    std::set<std::string> peers;
    for (const auto& edge : config.edges) {
      if (edge.a.node == name) peers.insert(edge.b.text());
      if (edge.b.node == name) peers.insert(edge.a.text());
    }
    if (const auto type = types.find(node.type); type != types.end()) {
      Options options(node.options, path, mistakes);
      type->second.check(options, peers);
    } else if (!node.type.empty()) {
      std::vector<std::string> names;
      for (const auto& [known_type, factory] : types) names.push_back(known_type);
      own.mistake("type", "there is no brick type '" + node.type + "'; there are: " + known(names));
    }
    config.bricks.emplace(name, std::move(node));
  }
  if (config.bricks.size() > kMaxBricks)
    root.mistake("bricks", "at most " + std::to_string(kMaxBricks) + " are possible");
}

// What a document mentions and this process was not started with.
void check_start_settings(const StartSettings& asked, const StartSettings& running, Options& root) {
  const auto refuse = [&](const char* key) {
    root.mistake(key, "is read at start only; restart the switch to change it");
  };
  if (asked.workers != running.workers) refuse("workers");
  if (asked.cpus != running.cpus) refuse("cpus");
  if (asked.memory_mb != running.memory_mb) refuse("memory_mb");
  if (asked.mbufs != running.mbufs) refuse("mbufs");
  if (asked.hugepages != running.hugepages) refuse("hugepages");
  if (asked.datapath != running.datapath) refuse("datapath");
}

}  // namespace

StartSettings read_start_settings(const json& document, const StartSettings& defaults, Mistakes& mistakes) {
  Options root(document, "", mistakes);
  return read_start(root, defaults);
}

Result<Config> parse_config(const json& document, const StartSettings& running, const PortFactories& ports,
                            const BrickFactories& bricks) {
  Mistakes mistakes;
  Config config;
  config.document = document;
  Options root(document, "", mistakes);
  check_start_settings(read_start(root, running), running, root);
  config.placement = read_placement(root);
  read_ports(config, root, running.workers, ports, mistakes);
  read_edges(config, root);
  read_bricks(config, root, bricks, mistakes);
  root.done();
  check_topology(config, bricks, mistakes);
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return config;
}

}  // namespace testbed
