// A tap as a port: frames to and from the kernel, sizes, tags, sleep, workers.
#include "tests/unit/nic/nic_rig.hpp"

using namespace testbed;
using namespace testbed::test;

namespace {

struct TapRig : NicRig {
  explicit TapRig(uint16_t workers = 1, const nlohmann::json& options = nlohmann::json::object())
      : NicRig(workers) {
    lan({{"up", nic("net_tap0,iface=tb0", options)}});
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(tap, *boost::unit_test::precondition(has_taps))

BOOST_AUTO_TEST_CASE(frames_of_every_size_pass_whole_in_both_directions) {
  TapRig rig;
  Wire wire("tb0");
  for (const size_t size : {14u, 59u, 60u, 64u, 128u, 129u, 1000u, 1513u, 1514u}) {
    const Frame out = frame(station(1), station(2), size), in = frame(station(2), station(1), size);
    BOOST_TEST((rig.through(out, wire) == out), "out: " << size << " octets");
    BOOST_TEST((rig.through(wire, in) == in), "in: " << size << " octets");
  }
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
  BOOST_TEST(rig.sums("up").all.rx_packets == 9u);
  BOOST_TEST(rig.sums("up").all.tx_packets == 9u);
  BOOST_TEST(rig.sums("up").all.rx_bytes == rig.sums("up").all.tx_bytes);
  BOOST_TEST(rig.up()["ethdev"]["rx_packets"] == 9);
  BOOST_TEST(rig.up()["ethdev"]["tx_packets"] == 9);
}

BOOST_AUTO_TEST_CASE(a_tagged_frame_of_full_length_keeps_its_tag) {
  TapRig rig;
  Wire wire("tb0");
  const Frame out = tagged(frame(station(1), station(2), 1514), 0x2064),
              in = tagged(frame(station(2), station(1), 1514), 7);
  BOOST_TEST((rig.through(out, wire) == out));
  BOOST_TEST((rig.through(wire, in) == in));
}

BOOST_AUTO_TEST_CASE(a_frame_longer_than_the_mtu_is_dropped_by_name_and_the_rest_of_its_burst_is_sent) {
  TapRig rig;
  Wire wire("tb0");
  const Frame small = frame(station(1), station(2), 100);
  // All before the worker looks: one burst.
  rig.domain->stop();
  rig.inside().inject(small);
  rig.inside().inject(frame(station(1), station(2), 1515));
  rig.inside().inject(tagged(frame(station(1), station(2), 1515), 7));
  rig.inside().inject(frame(station(1), station(2), 9000));
  rig.inside().inject(small);
  BOOST_REQUIRE(rig.domain->start().has_value());
  BOOST_TEST((wire.receive() == small));
  BOOST_TEST((wire.receive() == small));
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
  BOOST_TEST(rig.drops("up", DropReason::too_big) == 3u);
  BOOST_TEST(rig.drops("up", DropReason::ring_full) == 0u);
  BOOST_TEST(rig.sums("up").all.tx_packets == 2u);
}

BOOST_AUTO_TEST_CASE(a_smaller_mtu_is_the_interfaces_and_the_ports) {
  TapRig rig(1, {{"mtu", 576}});
  Wire wire("tb0");
  const Frame fits = frame(station(1), station(2), 590);
  rig.inside().inject(frame(station(1), station(2), 591));
  BOOST_TEST((rig.through(fits, wire) == fits));
  BOOST_TEST(rig.drops("up", DropReason::too_big) == 1u);
  BOOST_TEST(std::system("ip link show tb0 | grep -q 'mtu 576 '") == 0);
}

BOOST_AUTO_TEST_CASE(a_sleeping_worker_is_woken_by_a_frame) {
  TapRig rig;
  Wire wire("tb0");
  for (int i = 0; i < 3; ++i) {
    BOOST_REQUIRE(Live::eventually([&] { return rig.all_sleep(); }));
    const Frame in = frame(station(2), station(1), 200);
    BOOST_TEST((rig.through(wire, in) == in));
  }
  BOOST_TEST(rig.up()["interrupts"] == true);
}

BOOST_AUTO_TEST_CASE(thousands_of_frames_arrive_in_order_and_the_counters_add_up) {
  TapRig rig;
  Wire wire("tb0");
  constexpr int kRounds = 200, kBatch = 25;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kBatch; ++i) {
      wire.send(frame(station(2), station(static_cast<uint16_t>(i)), 60));
      rig.inside().inject(frame(station(1), station(static_cast<uint16_t>(i)), 1400));
    }
    for (int i = 0; i < kBatch; ++i) {
      const auto out = wire.receive();
      BOOST_REQUIRE((out == frame(station(1), station(static_cast<uint16_t>(i)), 1400)));
    }
    BOOST_REQUIRE(rig.inside().wait_for(kBatch, std::chrono::seconds(10)));
    const auto in = rig.inside().collect();
    for (int i = 0; i < kBatch; ++i)
      BOOST_REQUIRE((in[static_cast<size_t>(i)] == frame(station(2), station(static_cast<uint16_t>(i)), 60)));
  }
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
  BOOST_TEST(rig.sums("up").all.tx_packets == unsigned{kRounds * kBatch});
  BOOST_TEST(kernel_rx_packets("tb0") == unsigned{kRounds * kBatch});
  BOOST_TEST(rig.totals().dropped == 0u);
}

BOOST_AUTO_TEST_CASE(two_workers_transmit_to_two_queues_without_losing_a_frame) {
  TapRig rig(2, {{"queues", 2}});
  rig.lan(
      {{"up", nic("net_tap0,iface=tb0", {{"queues", 2}})}, {"second", {{"type", "fake"}, {"to", "lan"}}}});
  Wire wire("tb0");
  constexpr size_t kBatch = 50;
  for (int round = 0; round < 50; ++round) {
    rig.inside().inject(frame(station(1), station(2), 300), kBatch);
    rig.ports["second"].inject(frame(station(1), station(3), 300), kBatch);
    for (size_t i = 0; i < 2 * kBatch; ++i) BOOST_REQUIRE(wire.receive().has_value());
  }
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
  BOOST_TEST(rig.sums("up").all.tx_packets == 50u * 2 * kBatch);
}

BOOST_AUTO_TEST_SUITE_END()
