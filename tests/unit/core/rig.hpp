// A graph that the test's own thread runs: one burst at a time, no worker, a clock that the test sets.
#pragma once

#include <boost/test/unit_test.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/base/event_log.hpp"
#include "core/bricks/register.hpp"
#include "core/control/graph.hpp"
#include "core/graph/executor.hpp"
#include "core/worker/assignment.hpp"
#include "tests/unit/base/scratch.hpp"
#include "tests/unit/core/fake_port.hpp"

struct Rig {
  testbed::Brick& brick(const std::string& name, const std::string& type,
                        const nlohmann::json& options = nlohmann::json::object()) {
    auto made = testbed::brick_factories().at(type).create(name, options, environment);
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
    return add(std::move(*made));
  }
  testbed::Brick& add(std::unique_ptr<testbed::Brick> brick) {
    testbed::Brick& same = *brick;
    graph.add(std::move(brick));
    return same;
  }
  FakePort& port(const std::string& name, uint16_t queues = 1) {
    auto made = std::make_unique<FakePort>(name, queues);
    FakePort& same = *made;
    graph.add(std::move(made));
    return same;
  }
  // port("p0") and its edge
  FakePort& port(const std::string& name, const std::string& to) {
    FakePort& made = port(name);
    edge({name, ""}, {to, ""});
    return made;
  }
  void edge(testbed::EndConfig a, testbed::EndConfig b) {
    if (b < a) std::swap(a, b);
    const auto added = graph.add({a, b, "test"});
    BOOST_REQUIRE_MESSAGE(added.has_value(), (added ? "" : added.error().message));
  }
  // Runs until no port has anything left.
  void run() {
    testbed::Plan plan = graph.make_plan(++generation);
    testbed::assign_queues(plan, {}, 1, testbed::AssignmentPolicy::pinned);
    testbed::Executor executor(plan, 0);
    worker.now_ns = now_s * 1'000'000'000u;
    while (executor.poll(worker).packets > 0) {
    }
  }
  testbed::BrickSums sums(const std::string& name) const { return graph.bricks().at(name).counters->sum(); }
  uint64_t drops(const std::string& name, testbed::DropReason reason) const {
    const auto index = static_cast<size_t>(reason);
    const auto brick = graph.bricks().find(name);
    return brick != graph.bricks().end() ? brick->second.counters->sum().drops[index]
                                         : graph.ports().at(name).counters->sum().drops[index];
  }
  bool conserved() const {
    const auto totals = graph.totals();
    return totals.received + totals.replicated == totals.sent + totals.dropped;
  }

  Scratch scratch;
  testbed::EventLog events;
  testbed::BrickEnvironment environment{events, 1, scratch.path};
  testbed::Graph graph{1};
  testbed::WorkerContext worker;
  uint64_t now_s = 1000;
  uint64_t generation = 0;
};
