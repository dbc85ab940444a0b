// A switch with workers that run, and ports that the test holds.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "core/base/clock.hpp"
#include "core/bricks/register.hpp"
#include "core/control/report.hpp"
#include "core/control/switch.hpp"
#include "tests/unit/base/scratch.hpp"
#include "tests/unit/core/fake_port.hpp"

struct Live {
  // `more` are port types beside "fake".
  explicit Live(uint16_t workers = 1, const std::function<void(testbed::PortFactories&)>& more = {})
      : settings{.workers = workers} {
    auto made = testbed::WorkerDomain::create({.workers = workers}, events);
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
    domain = std::move(*made);
    ports_environment = std::make_unique<testbed::PortEnvironment>(
        testbed::PortEnvironment{io, events, *domain, workers, domain->pools(), scratch.path, "library"});
    bricks_environment =
        std::make_unique<testbed::BrickEnvironment>(testbed::BrickEnvironment{events, workers, scratch.path});
    testbed::PortFactories types = ports.factories();
    if (more) more(types);
    control = std::make_unique<testbed::Switch>(settings, *domain, *ports_environment, *bricks_environment,
                                                std::move(types), testbed::brick_factories());
    const auto started = domain->start();
    BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
  }
  ~Live() {
    domain->stop();
    control.reset();
  }

  void apply(const nlohmann::json& document) {
    const auto applied = control->apply(document);
    BOOST_REQUIRE_MESSAGE(applied.has_value(), (applied ? "" : applied.error().message));
  }
  // `condition` became true within `deadline`.
  static bool eventually(const std::function<bool()>& condition,
                         std::chrono::milliseconds deadline = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  testbed::Totals totals() const { return control->graph().totals(); }
  bool balanced() const {
    const auto now = totals();
    return now.received + now.replicated == now.sent + now.dropped;
  }
  std::vector<nlohmann::json> events_named(const std::string& name) const {
    std::vector<nlohmann::json> all;
    for (auto& event : events.since(1))
      if (event["name"] == name) all.push_back(event);
    return all;
  }
  bool all_sleep() const {
    for (const auto& worker : domain->status())
      if (worker["state"] != "sleeping") return false;
    return true;
  }

  Scratch scratch;
  boost::asio::io_context io;
  testbed::EventLog events;
  FakePorts ports;
  testbed::StartSettings settings;
  std::unique_ptr<testbed::WorkerDomain> domain;
  std::unique_ptr<testbed::PortEnvironment> ports_environment;
  std::unique_ptr<testbed::BrickEnvironment> bricks_environment;
  std::unique_ptr<testbed::Switch> control;
};

// A learning switch "lan" with the ports p0 .. p<count - 1>.
inline nlohmann::json lan_of(int count, const nlohmann::json& options = nlohmann::json::object()) {
  nlohmann::json document = {{"bricks", {{"lan", {{"type", "switch"}}}}},
                             {"ports", nlohmann::json::object()}};
  document["bricks"]["lan"].update(options);
  for (int i = 0; i < count; ++i) {
    std::string name = "p";
    name += std::to_string(i);
    document["ports"][name] = {{"type", "fake"}, {"to", "lan"}};
  }
  return document;
}
