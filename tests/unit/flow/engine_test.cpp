// Ends, incarnations, links and clocks.
#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/unit/flow/memory_transport.hpp"

using namespace testbed::flow;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(engine)

BOOST_AUTO_TEST_CASE(a_sender_started_anew_is_another_incarnation_and_no_flood_of_duplicates) {
  World world;
  world.make_flow({{"rate_pps", 10000}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  const uint64_t first_life = world.sender()["sent"];
  Octets late;  // a packet of the first life that arrives in the second
  world.pass(kMs, [&] {
    if (!world.transports[0]->out[0].empty() && late.empty()) {
      late = world.transports[0]->out[0].front();
      world.transports[0]->out[0].pop_front();
    }
    world.carry_both();
  });
  const uint64_t all_of_first = world.sender()["sent"];
  world.call("flow.send", {{"flow", 1},
                           {"frontend", "a"},
                           {"run", 9},
                           {"rate_pps", 10000},
                           {"src", to_string(mac(0))},
                           {"dst", to_string(mac(1))}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  world.transports[1]->in[0].push_back(late);
  world.pass(kMs, [&] { world.carry_both(); });
  const json report = world.receiver();
  BOOST_TEST(first_life >= 990u);
  BOOST_TEST(report["duplicated"] == 0);
  BOOST_TEST(report["lost"] == 0);
  BOOST_TEST(report["reordered"] == 1);
  BOOST_REQUIRE_EQUAL(report["incarnations"].size(), 2u);
  BOOST_TEST(report["incarnations"][0]["received"] == all_of_first);
  BOOST_TEST(report["incarnations"][1]["epoch"] == world.sender()["epoch"]);
  BOOST_TEST(report["outages"].empty());
}

BOOST_AUTO_TEST_CASE(a_receiver_that_comes_late_says_that_nothing_arrived_before_its_first_gap) {
  World world;
  world.make_flow({{"rate_pps", 10000}});
  world.call("flow.start");
  world.pass(10 * kMs, [&] { world.carry(0, 1, [](Octets&) { return false; }); });
  world.pass(10 * kMs, [&] { world.carry_both(); });
  const json gaps = world.receiver()["gaps"];
  BOOST_REQUIRE_EQUAL(gaps.size(), 1u);
  BOOST_TEST(gaps[0]["first"] == 0);
  BOOST_TEST(gaps[0]["after_ns"] == 0);
}

BOOST_AUTO_TEST_CASE(an_end_that_does_not_announce_itself_sends_nothing_of_its_own) {
  for (const bool announces : {true, false}) {
    uint64_t now = kSecond;
    FlowEngine engine([](std::string_view, const json&) {}, [&] { return now; });
    MemoryTransport transport;
    BOOST_REQUIRE(engine.add_end("quiet", transport, mac(0), announces));
    for (int i = 0; i < 30; ++i, now += 100 * kMs) engine.poll();
    BOOST_TEST(transport.out[0].empty() == !announces);
  }
}

BOOST_AUTO_TEST_CASE(an_end_says_hello_from_every_address_when_its_link_comes_up_and_every_second_and_when_told) {
  World world;
  world.make_flow({{"rate_pps", 1}, {"streams", 100}});
  std::multiset<uint64_t> sources;
  const auto collect = [&](Octets& frame) {
    Probe probe;
    BOOST_REQUIRE((read_probe(frame.data(), static_cast<uint32_t>(frame.size()), probe) == Verdict::good));
    if (probe.kind == Kind::hello) sources.insert(probe.source.number());
    BOOST_TEST((probe.destination == kBroadcast));
    return true;
  };
  world.pass(5 * kMs, [&] { world.carry(1, 0, collect); });
  BOOST_TEST(sources.size() == 100u);
  BOOST_TEST((std::set<uint64_t>(sources.begin(), sources.end()).size() == 100u));
  world.pass(kSecond, [&] { world.carry(1, 0, collect); });
  BOOST_TEST(sources.size() == 200u);
  world.transports[1]->up = false;
  world.pass(kMs, [&] { world.carry(1, 0, collect); });
  world.transports[1]->up = true;
  world.pass(5 * kMs, [&] { world.carry(1, 0, collect); });
  BOOST_TEST(sources.size() == 300u);
  world.call("flow.announce");
  world.pass(5 * kMs, [&] { world.carry(1, 0, collect); });
  BOOST_TEST(sources.size() == 400u);
}

BOOST_AUTO_TEST_CASE(a_link_that_changes_is_an_event) {
  World world(1);
  world.engine.poll();
  world.transports[0]->up = false;
  world.engine.poll();
  world.engine.poll();
  BOOST_REQUIRE_EQUAL(world.events.size(), 2u);
  BOOST_TEST(world.events[0].first == "frontend.link");
  BOOST_TEST(world.events[0].second == json({{"frontend", "a"}, {"up", true}}));
  BOOST_TEST(world.events[1].second == json({{"frontend", "a"}, {"up", false}}));
}

BOOST_AUTO_TEST_CASE(the_senders_clock_is_brought_into_the_receivers) {
  World world;
  constexpr int64_t kOffset = 5'000'000'000;  // the stamps of this sender lie as far ahead
  world.make_flow({{"rate_pps", 1000}}, {{"clock_offset_ns", kOffset}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  BOOST_TEST(world.receiver()["negative_latency"].get<int>() > 90);
  world.call("flow.set", {{"flow", 1}, {"clock_offset_ns", -3'000'000}});
  world.pass(100 * kMs, [&] { world.carry_both(); });
  const uint64_t longest = world.receiver()["latency_ns"]["max"];
  BOOST_TEST(longest >= 3'000'000u);
  BOOST_TEST(longest <= 3'200'000u);
}

BOOST_AUTO_TEST_CASE(a_pause_is_no_outage_and_neither_is_a_slow_rate_that_was_set_at_both_ends) {
  World world;
  world.make_flow({{"rate_pps", 10000}}, {{"rate_pps", 10000}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  world.call("flow.stop");
  world.pass(500 * kMs, [&] { world.carry_both(); });
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  world.call("flow.set", {{"flow", 1}, {"rate_pps", 10}});
  world.pass(kSecond, [&] { world.carry_both(); });
  BOOST_TEST(world.receiver()["outages"].empty());
  for (const auto& [name, fields] : world.events) BOOST_TEST(name != "flow.outage");
}

BOOST_AUTO_TEST_CASE(an_outage_that_has_not_ended_is_reported_open) {
  World world;
  world.make_flow({{"rate_pps", 10000}});
  world.call("flow.start");
  world.pass(50 * kMs, [&] { world.carry_both(); });
  world.pass(50 * kMs, [&] { world.carry(0, 1, [](Octets&) { return false; }); });
  const json outages = world.receiver()["outages"];
  BOOST_REQUIRE_EQUAL(outages.size(), 1u);
  BOOST_TEST(outages[0]["end_ns"].is_null());
}

BOOST_AUTO_TEST_CASE(what_the_ends_count_adds_up) {
  World world;
  world.make_flow({{"window", 50}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  world.call("flow.stop");
  world.pass(10 * kMs, [&] { world.carry_both(); });
  const json a = world.status("a"), b = world.status("b");
  BOOST_TEST(a["tx_packets"] == b["rx_packets"]);
  BOOST_TEST(b["tx_packets"] == a["rx_packets"]);
  BOOST_TEST(a["tx_bytes"] == b["rx_bytes"]);
  BOOST_TEST(b["tx_packets"].get<uint64_t>() == b["acks"].get<uint64_t>() + b["hellos"].get<uint64_t>());
  BOOST_TEST(a["rx_packets"].get<uint64_t>() == a["ack_rx"].get<uint64_t>() + a["hello_rx"].get<uint64_t>());
}

BOOST_AUTO_TEST_CASE(an_end_that_is_removed_takes_its_flows_with_it) {
  World world;
  world.make_flow({{"rate_pps", 10000}});
  BOOST_TEST(world.engine.remove_end("a").has_value());
  BOOST_TEST(world.engine.senders().empty());
  BOOST_TEST(world.engine.receivers().size() == 1u);
  BOOST_TEST(!world.engine.remove_end("a").has_value());
  world.pass(kMs, [] {});
}

BOOST_AUTO_TEST_SUITE_END()
