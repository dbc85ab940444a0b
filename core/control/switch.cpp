#include "core/control/switch.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/clock.hpp"
#include "core/control/leave_out.hpp"

namespace testbed {

using nlohmann::json;

namespace {

constexpr bool removes(const Action& action) {
  return std::holds_alternative<RemoveEdge>(action) || std::holds_alternative<RemovePort>(action) ||
         std::holds_alternative<RemoveBrick>(action);
}

template <typename Nodes>
std::string names_of(const Nodes& nodes) {
  std::string all;
  for (const auto& [name, node] : nodes) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "none" : all;
}

}  // namespace

Switch::Switch(StartSettings settings, WorkerDomain& domain, PortEnvironment& ports, BrickEnvironment& bricks,
               PortFactories port_types, BrickFactories brick_types)
    : settings_(std::move(settings)),
      domain_(domain),
      port_environment_(ports),
      brick_environment_(bricks),
      port_types_(std::move(port_types)),
      brick_types_(std::move(brick_types)),
      graph_(domain.workers()),
      started_ns_(now_ns()),
      timer_(ports.io) {
  tick();
}

Switch::~Switch() {
  clear();
}

Result<Switch::Applied> Switch::apply(const json& desired) {
  auto next = parse_config(desired, settings_, port_types_, brick_types_);
  if (!next) return tl::unexpected(next.error());
  const auto rebuild = configure_bricks(*next);
  if (!rebuild) return tl::unexpected(rebuild.error());
  const auto actions = diff(config_, *next, *rebuild);
  remove(actions);
  Mistakes failures = add(actions, *next);
  const bool replaced = !(config_.placement == next->placement);
  config_ = std::move(*next);
  if (!actions.empty() || replaced) publish();
  if (!failures.empty()) return fail(std::move(failures));
  Applied applied{generation_, {}};
  for (const auto& action : actions) applied.actions.push_back(to_string(action));
  if (replaced) applied.actions.emplace_back("assign queues");
  return applied;
}

void Switch::clear() {
  const auto actions = diff(config_, Config{});
  remove(actions);
  config_ = Config{};
}

// Returns the bricks that do not take their new options live.
Result<std::set<std::string>> Switch::configure_bricks(const Config& desired) {
  std::set<std::string> rebuild;
  for (const auto& action : diff(config_, desired)) {
    const auto* configure = std::get_if<ConfigureBrick>(&action);
    if (!configure) continue;
    auto done =
        graph_.bricks().at(configure->name).brick->configure(desired.bricks.at(configure->name).options);
    if (done) continue;
    if (done.error().code != Errc::unsupported)
      return fail({{"bricks." + configure->name, done.error().message}});
    rebuild.insert(configure->name);
  }
  return rebuild;
}

void Switch::remove(const std::vector<Action>& actions) {
  if (std::ranges::none_of(actions, removes)) return;
  for (const auto& action : actions) {
    if (const auto* edge = std::get_if<RemoveEdge>(&action)) graph_.unlink(edge->edge);
    if (const auto* port = std::get_if<RemovePort>(&action)) graph_.unlink_port(port->name);
    if (const auto* brick = std::get_if<RemoveBrick>(&action)) graph_.unlink_brick(brick->name);
  }
  publish();
  graph_.forget();
  for (const auto& action : actions)
    if (const auto* port = std::get_if<RemovePort>(&action))
      port_environment_.events.emit("port.removed", {{"port", port->name}});
}

Result<void> Switch::make(const AddPort& action, const Config& desired) {
  const NodeConfig& config = desired.ports.at(action.name);
  auto port = port_types_.find(config.type)->create(action.name, config.options, port_environment_);
  if (!port) {
    port_environment_.events.emit("port.failed", {{"port", action.name}, {"error", port.error().message}});
    return tl::unexpected(port.error());
  }
  graph_.add(std::move(*port));
  port_environment_.events.emit("port.added", {{"port", action.name}});
  return {};
}

Result<void> Switch::make(const AddBrick& action, const Config& desired) {
  const NodeConfig& config = desired.bricks.at(action.name);
  auto brick = brick_types_.at(config.type).create(action.name, config.options, brick_environment_);
  if (!brick) return tl::unexpected(brick.error());
  graph_.add(std::move(*brick));
  return {};
}

Mistakes Switch::add(const std::vector<Action>& actions, Config& desired) {
  Mistakes failures;
  std::set<std::string> missing;
  for (const auto& action : actions) {
    const auto* port = std::get_if<AddPort>(&action);
    const auto* brick = std::get_if<AddBrick>(&action);
    const auto* edge = std::get_if<AddEdge>(&action);
    if (port || brick) {
      const auto made = port ? make(*port, desired) : make(*brick, desired);
      if (made) continue;
      const std::string& name = port ? port->name : brick->name;
      failures.push_back({(port ? "ports." : "bricks.") + name, made.error().message});
      missing.insert(name);
    } else if (edge && !missing.contains(edge->edge.a.node) && !missing.contains(edge->edge.b.node)) {
      if (auto made = graph_.add(edge->edge); !made) {
        failures.push_back({edge->edge.where, made.error().message});
        leave_out(desired, edge->edge);
      }
    }
  }
  for (const auto& name : missing) leave_out(desired, name);
  return failures;
}

void Switch::publish() {
  Plan plan = graph_.make_plan(++generation_);
  for (PlanPort& port : plan.ports) {
    const auto pinned = config_.placement.pinned.find(port.port->name());
    if (pinned != config_.placement.pinned.end()) port.pinned = pinned->second;
  }
  domain_.publish(std::move(plan), config_.placement.policy);
}

void Switch::rebalance(uint64_t now) {
  if (config_.placement.policy != AssignmentPolicy::cycles) return;
  if (now - balanced_ns_ < config_.placement.rebalance_ms * 1'000'000) return;
  balanced_ns_ = now;
  domain_.rebalance();
}

void Switch::tick() {
  const uint64_t now = now_ns();
  for (const auto& [name, node] : graph_.bricks()) node.brick->tick(now);
  rebalance(now);
  timer_.expires_after(std::chrono::nanoseconds(Brick::kTickNs));
  timer_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
    if (!error && alive.lock()) tick();
  });
}

json Switch::status() const {
  return {{"generation", generation_},
          {"uptime_ns", now_ns() - started_ns_},
          {"datapath", settings_.datapath},
          {"workers", domain_.status()}};
}

json Switch::ports() const {
  json all = json::object();
  for (const auto& [name, node] : graph_.ports()) all[name] = node.port->describe();
  return all;
}

Result<Port*> Switch::port(const std::string& name) const {
  const auto found = graph_.ports().find(name);
  if (found != graph_.ports().end()) return found->second.port.get();
  return fail(Errc::not_found, "there is no port '" + name + "'; there are: " + names_of(graph_.ports()));
}

Result<Brick*> Switch::brick(const std::string& name) const {
  const auto found = graph_.bricks().find(name);
  if (found != graph_.bricks().end()) return found->second.brick.get();
  return fail(Errc::not_found, "there is no brick '" + name + "'; there are: " + names_of(graph_.bricks()));
}

}  // namespace testbed
