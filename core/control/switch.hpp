// The switch as control sees it: brings what exists to what is desired, and answers questions about it.
// Control thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/control/config_parser.hpp"
#include "core/control/graph.hpp"
#include "core/graph/diff.hpp"
#include "core/worker/worker_domain.hpp"

namespace testbed {

class Switch {
 public:
  // What it refers to outlives it. `domain` may be started before or after.
  Switch(StartSettings settings, WorkerDomain& domain, PortEnvironment& ports, BrickEnvironment& bricks,
         PortFactories port_types, BrickFactories brick_types);
  // Ends all sessions. The workers may still run.
  ~Switch();
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;

  struct Applied {
    uint64_t generation;
    std::vector<std::string> actions;
  };
  // Makes `desired` the configuration. A document with mistakes changes nothing. What cannot be made (a port
  // whose socket is in use) is left out and named in the error, everything else is in force, and applying the
  // same document again tries it again. Events port.added, port.removed, port.failed, plan.published.
  Result<Applied> apply(const nlohmann::json& desired);
  // Removes everything; the configuration is empty then.
  void clear();

  const nlohmann::json& config() const { return config_.document; }
  const Graph& graph() const { return graph_; }
  const WorkerDomain& domain() const { return domain_; }
  nlohmann::json status() const;
  nlohmann::json ports() const;
  // Errc::not_found names what there is.
  Result<Port*> port(const std::string& name) const;
  Result<Brick*> brick(const std::string& name) const;

 private:
  Result<std::set<std::string>> configure_bricks(const Config& desired);
  void remove(const std::vector<Action>& actions);
  // Returns what could not be made; it is taken out of `desired`.
  Mistakes add(const std::vector<Action>& actions, Config& desired);
  Result<void> make(const AddPort& action, const Config& desired);
  Result<void> make(const AddBrick& action, const Config& desired);
  void publish();
  void tick();
  void rebalance(uint64_t now);

  StartSettings settings_;
  WorkerDomain& domain_;
  PortEnvironment& port_environment_;
  BrickEnvironment& brick_environment_;
  PortFactories port_types_;
  BrickFactories brick_types_;
  Config config_;
  Graph graph_;
  uint64_t generation_ = 0;
  uint64_t started_ns_;
  uint64_t balanced_ns_ = 0;  // when the queues' loads were last looked at
  boost::asio::steady_timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed
