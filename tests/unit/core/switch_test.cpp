#include <boost/test/unit_test.hpp>

#include "tests/unit/core/rig.hpp"

using namespace testbed;

namespace {

struct Lan : Rig {
  explicit Lan(const nlohmann::json& options = nlohmann::json::object())
      : lan(brick("lan", "switch", options)) {}
  Brick& lan;
  FakePort& p0 = port("p0", "lan");
  FakePort& p1 = port("p1", "lan");
  FakePort& p2 = port("p2", "lan");
};

}  // namespace

BOOST_AUTO_TEST_SUITE(switch_brick)

BOOST_FIXTURE_TEST_CASE(unknown_destinations_go_everywhere_but_back, Lan) {
  p0.inject(frame(station(9), station(1)));
  run();
  BOOST_TEST(p0.collect().empty());
  BOOST_TEST(p1.collect().size() == 1u);
  BOOST_TEST(p2.collect().size() == 1u);
  BOOST_TEST(sums("lan").flooded == 1u);
  BOOST_TEST(sums("lan").replicated == 1u);
  BOOST_TEST(conserved());
}

BOOST_FIXTURE_TEST_CASE(known_destinations_get_their_frames_alone_and_unchanged, Lan) {
  p1.inject(frame(kBroadcast, station(2)));
  run();
  p0.collect(), p2.collect();
  const Frame big = frame(station(2), station(1), 1514);
  p0.inject(big);
  run();
  BOOST_TEST(p2.collect().empty());
  const auto got = p1.collect();
  BOOST_REQUIRE(got.size() == 1u);
  BOOST_TEST((got[0] == big));
  BOOST_TEST(sums("lan").forwarded == 1u);
}

BOOST_FIXTURE_TEST_CASE(broadcast_and_multicast_are_flooded_even_when_everybody_is_known, Lan) {
  p1.inject(frame(kBroadcast, station(2)));
  p2.inject(frame(0x0000'005e'0001, station(3)));  // 01:00:5e:00:00:00
  run();
  BOOST_TEST(p0.collect().size() == 2u);
  BOOST_TEST(sums("lan").flooded == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_mixed_burst_is_sorted_by_destination_and_keeps_each_order, Lan) {
  p1.inject(frame(kBroadcast, station(2)));
  p2.inject(frame(kBroadcast, station(3)));
  run();
  p1.collect(), p2.collect();
  for (size_t i = 0; i < 16; ++i) {
    p0.inject(frame(station(2), station(1), 64 + i));
    p0.inject(frame(station(3), station(1), 100 + i));
  }
  run();
  const auto to_1 = p1.collect(), to_2 = p2.collect();
  BOOST_REQUIRE(to_1.size() == 16u);
  BOOST_REQUIRE(to_2.size() == 16u);
  for (size_t i = 0; i < 16; ++i) {
    BOOST_TEST(to_1[i].size() == 64 + i);
    BOOST_TEST(to_2[i].size() == 100 + i);
  }
}

BOOST_FIXTURE_TEST_CASE(what_may_not_be_forwarded_is_dropped_by_name, Lan) {
  p0.inject(frame(station(2), station(1), 13));
  p0.inject(Frame{});
  p0.inject(frame(station(2), kBroadcast));  // a group cannot be a source
  p0.inject(frame(station(2), 0));
  p0.inject(frame(kBpdu, station(1)));
  p0.inject(frame(kBpdu | uint64_t{0x0f} << 40, station(1)));
  p0.inject(frame(station(1), station(1)));  // behind the port it came from
  run();
  BOOST_TEST(drops("p0", DropReason::runt) == 2u);
  BOOST_TEST(drops("lan", DropReason::bad_source) == 2u);
  BOOST_TEST(drops("lan", DropReason::reserved) == 2u);
  BOOST_TEST(drops("lan", DropReason::hairpin) == 1u);
  BOOST_TEST(p1.collect().empty());
  BOOST_TEST(conserved());
}

BOOST_FIXTURE_TEST_CASE(groups_beyond_the_reserved_sixteen_are_forwarded, Lan) {
  p0.inject(frame(kBpdu | uint64_t{0x10} << 40, station(1)));
  run();
  BOOST_TEST(p1.collect().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_frame_to_the_zero_address_is_flooded, Lan) {
  p0.inject(frame(0, station(1)));
  run();
  BOOST_TEST(p1.collect().size() + p2.collect().size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(good_frames_around_a_bad_one_still_leave, Lan) {
  p0.inject(frame(kBroadcast, station(1)));
  p0.inject(frame(kBroadcast, 0));
  p0.inject(frame(kBroadcast, station(1)));
  run();
  BOOST_TEST(p1.collect().size() == 2u);
  BOOST_TEST(conserved());
}

BOOST_FIXTURE_TEST_CASE(a_station_that_moves_takes_its_traffic_along_and_an_event_says_so, Lan) {
  p1.inject(frame(kBroadcast, station(2)));
  p2.inject(frame(kBroadcast, station(2)));
  run();
  p1.collect(), p2.collect();
  p0.inject(frame(station(2), station(1)));
  run();
  BOOST_TEST(p1.collect().empty());
  BOOST_TEST(p2.collect().size() == 1u);
  lan.tick(now_s * 1'000'000'000u);
  const auto events_seen = events.since(1);
  BOOST_REQUIRE(events_seen.size() == 1u);
  BOOST_TEST(events_seen[0]["name"] == "fdb.moved");
  BOOST_TEST(events_seen[0]["mac"] == "02:00:00:00:00:02");
  BOOST_TEST(events_seen[0]["from"] == "p1");
  BOOST_TEST(events_seen[0]["to"] == "p2");
  BOOST_TEST(lan.describe()["moved"] == 1);
}

BOOST_AUTO_TEST_CASE(what_was_silent_for_the_ageing_time_is_flooded_again) {
  Lan rig(nlohmann::json{{"ageing_ms", 5000}});
  rig.p1.inject(frame(kBroadcast, station(2)));
  rig.run();
  rig.lan.tick((rig.now_s + 5) * 1'000'000'000u);
  BOOST_TEST(rig.lan.fdb()->at("entries").size() == 1u);
  rig.lan.tick((rig.now_s + 6) * 1'000'000'000u);
  BOOST_TEST(rig.lan.fdb()->at("entries").empty());
  BOOST_TEST(rig.lan.describe()["aged"] == 1);
}

BOOST_AUTO_TEST_CASE(a_static_address_is_known_before_it_speaks_and_cannot_be_stolen) {
  Lan rig(nlohmann::json{{"static", {{"02:00:00:00:00:02", "p1"}}}});
  rig.p2.inject(frame(kBroadcast, station(2)));  // an impostor
  rig.p0.inject(frame(station(2), station(1)));
  rig.run();
  BOOST_TEST(rig.p2.collect().empty());
  BOOST_TEST(rig.p1.collect().size() == 2u);  // the broadcast and the frame
  const auto entry = rig.lan.fdb()->at("entries");
  BOOST_TEST(rig.lan.describe()["moved"] == 0);
}

BOOST_FIXTURE_TEST_CASE(options_change_live_but_another_capacity_asks_for_a_new_table, Lan) {
  BOOST_TEST(lan.configure({{"static", {{"02:00:00:00:00:07", "p2"}}}}).has_value());
  p0.inject(frame(station(7), station(1)));
  run();
  BOOST_TEST(p2.collect().size() == 1u);
  BOOST_TEST(p1.collect().empty());
  BOOST_TEST(lan.configure(nlohmann::json::object()).has_value());
  p0.inject(frame(station(7), station(1)));
  run();
  BOOST_TEST(p1.collect().size() == 1u);
  const auto grown = lan.configure({{"capacity", 32768}});
  BOOST_REQUIRE(!grown);
  BOOST_TEST((grown.error().code == Errc::unsupported));
}

BOOST_FIXTURE_TEST_CASE(what_was_learnt_behind_an_edge_goes_with_it, Lan) {
  p1.inject(frame(kBroadcast, station(2)));
  run();
  p0.collect(), p2.collect();
  graph.unlink({{"lan", ""}, {"p1", ""}, "test"});
  graph.forget();
  port("p3", "lan");  // gets p1's member number
  p0.inject(frame(station(2), station(1)));
  run();
  BOOST_TEST(p2.collect().size() == 1u);  // flooded, not sent to p3 alone
}

BOOST_FIXTURE_TEST_CASE(switches_of_one_graph_know_nothing_of_each_other, Lan) {
  brick("other", "switch");
  FakePort& q0 = port("q0", "other");
  FakePort& q1 = port("q1", "other");
  p1.inject(frame(kBroadcast, station(2)));
  q0.inject(frame(station(2), station(1)));
  run();
  BOOST_TEST(q1.collect().size() == 1u);
  BOOST_TEST(p1.collect().empty());
  BOOST_TEST(p0.collect().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_switch_with_one_port_has_no_destination) {
  Rig rig;
  rig.brick("lan", "switch");
  rig.port("p0", "lan").inject(frame(kBroadcast, station(1)));
  rig.run();
  BOOST_TEST(rig.drops("lan", DropReason::no_destination) == 1u);
  BOOST_TEST(rig.conserved());
}

BOOST_AUTO_TEST_SUITE_END()
