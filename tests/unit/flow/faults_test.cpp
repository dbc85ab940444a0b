// Each thing a network may do to a frame is done to known frames, and must be reported: that, and nothing
// else.
#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/unit/flow/memory_transport.hpp"

using namespace testbed::flow;
using nlohmann::json;

namespace {

// A paced flow of 2000 packets; `fault` sees every probe with its running number, from 0.
struct Flowing : World {
  Flowing() : World(3) {
    make_flow({{"rate_pps", 10000}, {"sizes", {{{"min", 60}, {"max", 300}}}}});
    pass(kMs, [this] { carry_both(); });
    call("flow.start");
  }
  void run(const std::function<bool(uint64_t number, Octets& frame)>& fault) {
    pass(200 * kMs, [&] {
      carry(0, 1, [&](Octets& frame) { return !is_probe(frame) || fault(number++, frame); });
      carry(1, 0);
    });
    call("flow.stop");
    pass(10 * kMs, [&] { carry_both(); });
  }
  // Everything is as it would be without faults, except what is said.
  void check(const json& expected = json::object()) {
    const json report = receiver();
    json counts = {{"lost", 0}, {"duplicated", 0}, {"reordered", 0}, {"corrupted", 0}, {"foreign", 0}};
    counts.update(expected);
    for (const auto& [key, value] : counts.items())
      BOOST_TEST(report[key] == value, key << " is " << report[key]);
    BOOST_TEST(report["exact"] == true);
    const uint64_t lost = counts["lost"];
    BOOST_TEST(report["received"].get<uint64_t>() == sender()["sent"].get<uint64_t>() - lost);
  }
  uint64_t number = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(faults, Flowing)

BOOST_AUTO_TEST_CASE(a_perfect_network_is_reported_as_one) {
  run([](uint64_t, Octets&) { return true; });
  check();
  BOOST_TEST(sender()["sent"].get<uint64_t>() == 2000u);
  BOOST_TEST(receiver()["outages"].empty());
  BOOST_TEST(receiver()["gaps"].empty());
}

BOOST_AUTO_TEST_CASE(lost_packets_are_counted_and_named_with_the_time_they_were_sent) {
  run([](uint64_t n, Octets&) { return n != 7 && (n < 100 || n > 103); });
  check({{"lost", 5}});
  const json gaps = receiver()["gaps"];
  BOOST_REQUIRE_EQUAL(gaps.size(), 2u);
  BOOST_TEST(gaps[0]["first"] == 7);
  BOOST_TEST(gaps[1]["first"] == 100);
  BOOST_TEST(gaps[1]["last"] == 103);
  const uint64_t after = gaps[1]["after_ns"], before = gaps[1]["before_ns"];
  BOOST_TEST(before - after == 5 * kSecond / 10000);
}

BOOST_AUTO_TEST_CASE(duplicates_are_counted) {
  run([&](uint64_t n, Octets& frame) {
    if (n % 500 == 3) transports[1]->in[0].push_back(frame);
    return true;
  });
  check({{"duplicated", 4}});
}

BOOST_AUTO_TEST_CASE(a_late_packet_is_reordered_and_not_lost) {
  Octets kept;
  run([&](uint64_t n, Octets& frame) {
    if (n == 50) kept = frame;
    if (n == 60) transports[1]->in[0].push_back(kept);
    return n != 50;
  });
  check({{"reordered", 1}});
  BOOST_TEST(receiver()["gaps"].empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_packet_is_corrupted_and_lost) {
  run([](uint64_t n, Octets& frame) {
    if (n == 20) frame.back() ^= 1;
    if (n == 30) frame.resize(frame.size() - 1);
    return true;
  });
  check({{"corrupted", 2}, {"lost", 2}});
}

BOOST_AUTO_TEST_CASE(a_damaged_flow_number_is_counted_at_the_end) {
  run([](uint64_t n, Octets& frame) {
    if (n == 20) frame[26] ^= 0x40;
    return true;
  });
  check({{"lost", 1}});
  BOOST_TEST(status("b")["corrupted_rx"] == 1);
}

BOOST_AUTO_TEST_CASE(a_misdelivered_packet_is_named_where_it_arrives) {
  call("flow.expect", {{"flow", 2}, {"frontend", "c"}, {"run", 9}, {"mac", to_string(mac(2))}});
  run([&](uint64_t n, Octets& frame) {
    if (n == 40 || n == 41) transports[2]->in[0].push_back(frame);
    return n != 40;  // one went astray, one was copied
  });
  check({{"lost", 1}});
  BOOST_TEST(status("c")["foreign_rx"] == 2);
  const json arrivals = call("flow.report", {{"flow", 2}})["2"]["receiver"]["foreign_arrivals"];
  BOOST_REQUIRE_EQUAL(arrivals.size(), 2u);
  BOOST_TEST(arrivals[0]["flow"] == 1);
  BOOST_TEST(arrivals[0]["seq"] == 40);
  BOOST_TEST(status("b")["foreign_rx"] == 0);
}

BOOST_AUTO_TEST_CASE(a_broadcast_and_another_run_are_not_misdelivered) {
  run([&](uint64_t n, Octets& frame) {
    if (n == 5) {
      Probe stale;
      read_probe(frame.data(), static_cast<uint32_t>(frame.size()), stale);
      stale.run = 8;
      Octets old(64);
      write_probe(old.data(), 64, stale, 0);
      transports[1]->in[0].push_back(old);
    }
    return true;
  });
  check();
  BOOST_TEST(status("b")["foreign_rx"] == 0);
  BOOST_TEST(status("b")["other_rx"] == 1);
  BOOST_TEST(status("b")["hello_rx"].get<int>() > 0);
}

BOOST_AUTO_TEST_CASE(an_outage_is_reported_with_its_edges_and_as_events) {
  events.clear();
  run([](uint64_t n, Octets&) { return n < 500 || n >= 1000; });
  check({{"lost", 500}});
  const json outages = receiver()["outages"];
  BOOST_REQUIRE_EQUAL(outages.size(), 1u);
  const uint64_t length = outages[0]["end_ns"].get<uint64_t>() - outages[0]["start_ns"].get<uint64_t>();
  BOOST_TEST(length >= 50 * kMs);
  BOOST_TEST(length <= 51 * kMs);
  BOOST_REQUIRE_EQUAL(events.size(), 3u);
  BOOST_TEST(events[0].first == "flow.moving");
  BOOST_TEST(events[1].first == "flow.outage");
  BOOST_TEST(events[1].second["start_ns"] == outages[0]["start_ns"]);
  BOOST_TEST(events[2].first == "flow.moving");
  BOOST_TEST(events[2].second["flow"] == "probe");
}

BOOST_AUTO_TEST_SUITE_END()
