// What a sender sends, when, and how it behaves in front of a ring that is full or a receiver that does not
// answer.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

#include "emu/flow/window.hpp"
#include "tests/unit/flow/memory_transport.hpp"

using namespace testbed::flow;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(sender)

BOOST_AUTO_TEST_CASE(a_paced_flow_keeps_its_rate_when_it_is_polled_late) {
  World world;
  world.make_flow({{"rate_pps", 20000}});
  world.call("flow.start");
  world.pass(
      kSecond, [&] { world.carry_both(); }, 1'500'000);  // 30 packets at a time
  BOOST_TEST(std::abs(world.sender()["sent"].get<int>() - 20000) <= 32);
  BOOST_TEST(world.sender()["skipped"] == 0);
}

BOOST_AUTO_TEST_CASE(what_was_missed_for_long_is_skipped_and_said_so) {
  World world;
  world.make_flow({{"rate_pps", 20000}});
  world.call("flow.start");
  world.engine.poll();
  world.clock += kSecond;
  world.pass(10 * kMs, [&] { world.carry_both(); });
  const json report = world.sender();
  BOOST_TEST(report["skipped"].get<int>() == 20000 - 400);
  BOOST_TEST(report["sent"].get<int>() <= 400 + 200);
}

BOOST_AUTO_TEST_CASE(a_full_ring_costs_blocked_packets_and_no_sequence_numbers) {
  World world(2, 1, 50);
  world.make_flow({{"rate_pps", 10000}});
  world.pass(kMs, [&] { world.carry_both(); });
  world.call("flow.start");
  world.pass(20 * kMs, [] {});  // nobody empties the ring
  const json full = world.sender();
  BOOST_TEST(full["sent"] == 50);
  BOOST_TEST(full["next"][0] == 50);
  BOOST_TEST(std::abs(full["blocked"].get<int>() - 150) <= 2);
  world.pass(20 * kMs, [&] { world.carry_both(); });
  world.settle();
  BOOST_TEST(world.receiver()["lost"] == 0);
  BOOST_TEST(world.receiver()["received"] == world.sender()["sent"]);
}

BOOST_AUTO_TEST_CASE(nothing_is_handed_to_a_link_that_is_down) {
  World world;
  world.make_flow({{"rate_pps", 10000}});
  world.transports[0]->up = false;
  world.call("flow.start");
  world.pass(10 * kMs, [&] { world.carry_both(); });
  BOOST_TEST(world.sender()["sent"] == 0);
  BOOST_TEST(world.sender()["blocked"].get<int>() >= 98);
  world.transports[0]->up = true;
  world.pass(10 * kMs, [&] { world.carry_both(); });
  BOOST_TEST(world.sender()["sent"].get<int>() >= 98);
}

BOOST_AUTO_TEST_CASE(streams_have_their_own_addresses_numbers_and_queues) {
  World world(2, 4);
  world.make_flow({{"rate_pps", 50000}, {"streams", 100}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  world.settle();
  const json sent = world.sender(), received = world.receiver();
  BOOST_TEST(received["lost"] == 0);
  for (const auto& next : sent["next"]) BOOST_TEST(next.get<int>() > 30);
  BOOST_TEST(sent["queues"] == received["queues"]);
  for (const auto& queue : sent["queues"]) BOOST_TEST(queue.get<int>() > 1200);
}

BOOST_AUTO_TEST_CASE(a_full_queue_holds_up_only_its_own_streams) {
  World world(2, 2, 50);
  world.make_flow({{"rate_pps", 10000}, {"streams", 2}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] {
    auto& out = world.transports[0]->out[1];  // queue 0 is stuck
    for (; !out.empty(); out.pop_front()) world.transports[1]->in[1].push_back(out.front());
  });
  BOOST_TEST(world.sender()["queues"][0].get<int>() <= 50);
  BOOST_TEST(world.sender()["queues"][1].get<int>() >= 450);
}

BOOST_AUTO_TEST_CASE(sizes_follow_their_weights) {
  World world;
  const json sizes = {{{"min", 60}, {"max", 60}, {"weight", 3}},
                      {{"min", 1000}, {"max", 1009}, {"weight", 1}}};
  world.make_flow({{"rate_pps", 100000}, {"sizes", sizes}, {"seed", 5}});
  world.call("flow.start");
  std::map<size_t, int> seen;
  world.pass(100 * kMs, [&] {
    world.carry(0, 1, [&](Octets& frame) {
      if (is_probe(frame)) ++seen[frame.size()];
      return true;
    });
  });
  BOOST_TEST(seen.size() == 11u);
  BOOST_TEST(std::abs(seen[60] - 7500) < 300);
}

BOOST_AUTO_TEST_CASE(the_same_seed_sends_the_same_sizes) {
  const auto sizes_of = [](uint64_t seed) {
    World world;
    world.make_flow({{"rate_pps", 10000}, {"sizes", {{{"min", 60}, {"max", 1500}}}}, {"seed", seed}});
    world.call("flow.start");
    std::vector<size_t> sizes;
    world.pass(10 * kMs, [&] {
      world.carry(0, 1, [&](Octets& frame) {
        if (is_probe(frame)) sizes.push_back(frame.size());
        return true;
      });
    });
    return sizes;
  };
  BOOST_TEST((sizes_of(1) == sizes_of(1)));
  BOOST_TEST((sizes_of(1) != sizes_of(2)));
}

BOOST_AUTO_TEST_CASE(a_closed_loop_never_has_more_than_its_window_on_the_way) {
  World world;
  world.make_flow({{"window", 100}});
  world.call("flow.start");
  world.pass(5 * kMs, [] {});
  BOOST_TEST(world.sender()["sent"] == 100);
  world.pass(100 * kMs, [&] { world.carry_both(); });
  BOOST_TEST(world.sender()["sent"].get<int>() > 10000);
  const uint64_t on_the_way =
      world.sender()["sent"].get<uint64_t>() - world.receiver()["received"].get<uint64_t>();
  BOOST_TEST(on_the_way <= 100u);
  BOOST_TEST(world.sender()["timeouts"] == 0);
}

BOOST_AUTO_TEST_CASE(a_closed_loop_survives_loss_of_frames_and_of_acknowledgements) {
  World world;
  world.make_flow({{"window", 64}, {"streams", 7}});
  world.call("flow.start");
  uint64_t n = 0;
  const auto lossy = [&] {
    world.carry(0, 1, [&](Octets& frame) { return !is_probe(frame) || n++ % 10 != 3; });
    world.carry(1, 0, [&](Octets&) { return n++ % 3 != 0; });
  };
  world.pass(2 * kSecond, lossy);
  BOOST_TEST(world.sender()["sent"].get<int>() > 100000);
  world.settle();
  uint64_t next = 0;
  const json sent = world.sender();
  for (const auto& stream : sent["next"]) next += stream.get<uint64_t>();
  BOOST_TEST(next == world.sender()["sent"].get<uint64_t>());
  const uint64_t accounted =
      world.receiver()["received"].get<uint64_t>() + world.receiver()["lost"].get<uint64_t>();
  BOOST_TEST(next - accounted < 20u);  // the last of a stream may be lost without a trace
}

BOOST_AUTO_TEST_CASE(a_closed_loop_feels_its_way_through_an_outage_and_comes_back_at_once) {
  World world;
  world.make_flow({{"window", 64}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  const uint64_t before = world.sender()["sent"];
  world.pass(kSecond, [&] { world.carry(0, 1, [](Octets&) { return false; }); });
  const uint64_t during = world.sender()["sent"].get<uint64_t>() - before;
  BOOST_TEST(during <= 64 + 50);  // single frames, one each 20 ms
  world.pass(30 * kMs, [&] { world.carry_both(); });
  const uint64_t resumed = world.sender()["sent"];
  world.pass(10 * kMs, [&] { world.carry_both(); });
  BOOST_TEST(world.sender()["sent"].get<uint64_t>() - resumed > 1000u);
}

BOOST_AUTO_TEST_CASE(a_window_given_up_too_early_is_taken_back) {
  Window window(10);
  window.restart(0);
  window.sent(window.allowance(0));
  BOOST_TEST(window.allowance(Window::kMinTimeout_ns) == 1u);  // given up; one frame to feel the way
  window.sent(1);
  window.acknowledged(5, 11, 1000, Window::kMinTimeout_ns + 1);  // all of it had only been slow
  BOOST_TEST(window.in_flight() == 0u);
  BOOST_TEST(window.allowance(Window::kMinTimeout_ns + 2) == 10u);
}

BOOST_AUTO_TEST_CASE(a_receiver_started_anew_does_not_stop_a_closed_loop) {
  World world;
  world.make_flow({{"window", 64}, {"streams", 100}});
  world.call("flow.start");
  world.pass(100 * kMs, [&] { world.carry_both(); });
  world.call("flow.expect", {{"flow", 1},
                             {"frontend", "b"},
                             {"run", 9},
                             {"mac", to_string(mac(1))},
                             {"streams", 100},
                             {"reply_to", to_string(mac(0))}});
  const uint64_t before = world.sender()["sent"];
  world.pass(200 * kMs, [&] { world.carry_both(); });
  BOOST_TEST(world.sender()["sent"].get<uint64_t>() - before > 5000u);
}

BOOST_AUTO_TEST_SUITE_END()
