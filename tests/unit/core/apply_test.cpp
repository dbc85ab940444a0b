// Changing a switch that runs.
#include <boost/test/unit_test.hpp>

#include "core/base/process.hpp"
#include "tests/unit/core/live.hpp"

using namespace testbed;
using nlohmann::json;

namespace {

size_t open_descriptors() {
  return process_resources()["fds"].get<size_t>();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(apply)

BOOST_FIXTURE_TEST_CASE(frames_flow_as_soon_as_a_configuration_is_applied, Live) {
  apply(lan_of(2));
  ports["p0"].inject(frame(kBroadcast, station(1)), 1000);
  BOOST_TEST(ports["p1"].wait_for(1000, std::chrono::seconds(10)));
  BOOST_TEST(eventually([&] { return balanced() && totals().sent == 1000; }));
  BOOST_TEST(events_named("port.added").size() == 2u);
  BOOST_TEST(events_named("plan.published").back()["generation"] == 1);
}

BOOST_FIXTURE_TEST_CASE(applying_the_same_again_does_nothing, Live) {
  apply(lan_of(2));
  const auto again = control->apply(lan_of(2));
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->actions.empty());
  BOOST_TEST(again->generation == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_document_with_mistakes_changes_nothing, Live) {
  apply(lan_of(2));
  json wrong = lan_of(1);
  wrong["ports"]["p7"] = {{"type", "fake"}, {"to", "nowhere"}};
  const auto refused = control->apply(wrong);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().mistakes.front().path == "ports.p7.to");
  BOOST_TEST(control->config() == lan_of(2));
  BOOST_TEST(control->graph().ports().size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_port_that_cannot_be_made_is_left_out_and_tried_again, Live) {
  json document = lan_of(2);
  document["ports"]["bad"] = {{"type", "fake"}, {"to", "lan"}, {"fail", true}};
  const auto failed = control->apply(document);
  BOOST_REQUIRE(!failed);
  BOOST_TEST(failed.error().mistakes.size() == 1u);
  BOOST_TEST(failed.error().mistakes.front().path == "ports.bad");
  BOOST_TEST(control->config() == lan_of(2));
  BOOST_TEST(events_named("port.failed").size() == 1u);
  ports["p0"].inject(frame(kBroadcast, station(1)));
  BOOST_TEST(ports["p1"].wait_for(1, std::chrono::seconds(10)));
  document["ports"]["bad"]["fail"] = false;
  const auto mended = control->apply(document);
  BOOST_REQUIRE(mended.has_value());
  BOOST_TEST(mended->actions.front() == "add port bad");
}

BOOST_FIXTURE_TEST_CASE(counters_of_what_is_gone_stay_in_the_totals, Live) {
  apply(lan_of(3));
  ports["p0"].inject(frame(kBroadcast, station(1)), 100);
  BOOST_TEST(eventually([&] { return totals().sent == 200; }));
  apply(lan_of(1));
  BOOST_TEST(totals().sent == 200u);
  apply(json::object());
  const Totals end = totals();
  BOOST_TEST(end.received == 100u);
  BOOST_TEST(end.replicated == 100u);
  BOOST_TEST(end.sent == 200u);
  BOOST_TEST(control->graph().bricks().empty());
}

BOOST_FIXTURE_TEST_CASE(a_rebuilt_brick_keeps_its_ports_and_forgets_its_stations, Live) {
  apply(lan_of(2));
  FakePort* const p0 = &ports["p0"];
  p0->inject(frame(kBroadcast, station(1)));
  BOOST_TEST(ports["p1"].wait_for(1, std::chrono::seconds(10)));
  apply(lan_of(2, {{"capacity", 32}}));
  BOOST_TEST(&ports["p0"] == p0);
  const auto fdb = (*control->brick("lan"))->fdb();
  BOOST_TEST(fdb->at("capacity") == 32);
  BOOST_TEST(fdb->at("entries").empty());
  BOOST_TEST(eventually([&] { return balanced(); }));
}

BOOST_AUTO_TEST_CASE(ports_come_and_go_under_traffic_and_no_packet_of_the_others_is_lost) {
  Live live(2);
  live.apply(lan_of(2));
  FakePort& p0 = live.ports["p0"];
  FakePort& p1 = live.ports["p1"];
  p1.inject(frame(kBroadcast, station(2)));
  BOOST_REQUIRE(p0.wait_for(1, std::chrono::seconds(10)));
  const size_t before = open_descriptors();

  std::atomic<bool> stop = false;
  uint64_t injected = 0;
  std::thread load([&] {
    while (!stop) {
      if (p0.backlog() < 256) p0.inject(frame(station(2), station(1)), 64), injected += 64;
      p1.collect();
      std::this_thread::yield();
    }
  });
  for (int round = 0; round < 100; ++round) {
    live.apply(lan_of(2 + round % 10));
    if (round % 10 == 9) live.ports["p9"].inject(frame(kBroadcast, station(100)), 10);
  }
  live.apply(lan_of(2));
  stop = true;
  load.join();
  BOOST_TEST(Live::eventually([&] { return p0.backlog() == 0 && p0.unreleased() == 0 && live.balanced(); }));
  BOOST_TEST(p1.sent() >= injected);  // and what p9 flooded
  BOOST_TEST(live.totals().dropped == 0u);
  BOOST_TEST(open_descriptors() == before);
}

BOOST_FIXTURE_TEST_CASE(a_thousand_ports_leave_nothing_behind, Live) {
  apply(lan_of(1));
  const size_t before = open_descriptors();
  apply(lan_of(1000));
  ports["p0"].inject(frame(kBroadcast, station(1)));
  BOOST_TEST(eventually([&] { return totals().sent == 999; }));
  apply(lan_of(1));
  BOOST_TEST(open_descriptors() == before);
  BOOST_TEST(mbufs_in_use() == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_was_received_before_the_workers_stop_is_sent, Live) {
  apply(lan_of(2));
  FakePort& p0 = ports["p0"];
  for (int round = 0; round < 50; ++round) p0.inject(frame(kBroadcast, station(1)), 100);
  domain->stop();
  BOOST_TEST(p0.unreleased() == 0u);
  BOOST_TEST(eventually([&] { return balanced(); }));
  BOOST_TEST(totals().received + p0.backlog() == 5000u);
}

BOOST_AUTO_TEST_CASE(queues_are_spread_over_the_workers_and_stay_where_they_are) {
  Live live(2);
  live.apply({{"ports", {{"a", {{"type", "fake"}, {"queues", 4}}}}}});
  FakePort& a = live.ports["a"];
  for (uint16_t queue = 0; queue < 4; ++queue) a.inject(frame(kBroadcast, station(1)), 1000, queue);
  BOOST_TEST(Live::eventually([&] { return live.totals().dropped == 4000; }));
  for (const auto& worker : live.domain->status()) BOOST_TEST(worker["packets"] == 2000);
}

BOOST_AUTO_TEST_CASE(what_only_places_queues_makes_no_port_anew) {
  Live live(2);
  live.apply(lan_of(2));
  FakePort* const p0 = &live.ports["p0"];
  json document = lan_of(2);
  document["ports"]["p0"]["workers"] = 1;
  document["ports"]["p1"]["workers"] = 1;
  const auto applied = live.control->apply(document);
  BOOST_REQUIRE(applied.has_value());
  BOOST_TEST((applied->actions == std::vector<std::string>{"assign queues"}));
  BOOST_TEST(&live.ports["p0"] == p0);
  BOOST_TEST(live.events_named("port.removed").empty());
  BOOST_TEST(
      (live.domain->owners() == std::map<std::string, std::vector<uint16_t>>{{"p0", {1}}, {"p1", {1}}}));
  BOOST_TEST(live.events_named("queue.moved").size() == 1u);  // the other was there
  BOOST_TEST(live.control->apply(document)->actions.empty());
}

BOOST_AUTO_TEST_CASE(a_worker_on_a_cpu_that_does_not_exist_is_refused) {
  EventLog events;
  auto domain = WorkerDomain::create({.workers = 1, .cpus = {1023}, .mbufs_per_worker = 512}, events);
  BOOST_REQUIRE(domain.has_value());
  const auto started = (*domain)->start();
  BOOST_REQUIRE(!started);
  BOOST_TEST(started.error().message.find("cpu 1023") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(more_mbufs_than_there_is_memory_are_refused_with_what_to_do) {
  EventLog events;
  const auto domain = WorkerDomain::create({.workers = 1, .cpus = {}, .mbufs_per_worker = 1'000'000}, events);
  BOOST_REQUIRE(!domain);
  BOOST_TEST((domain.error().code == Errc::exhausted));
  BOOST_TEST(domain.error().message.find("memory_mb") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
