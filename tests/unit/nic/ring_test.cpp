// Devices without a kernel behind them: `net_null` never runs dry, `net_ring` keeps what it was given. They
// show who frees what.
#include "tests/unit/nic/nic_rig.hpp"

using namespace testbed;
using namespace testbed::test;

namespace {

// More frames than a device's own queues hold.
constexpr uint64_t kMany = 20'000;

}  // namespace

BOOST_AUTO_TEST_SUITE(devices_in_memory)

BOOST_AUTO_TEST_CASE(a_device_that_never_runs_dry_is_removed_under_load) {
  NicRig rig;
  for (int i = 0; i < 5; ++i) {
    rig.lan({{"up", nic("net_null0,size=200,copy=1")}});
    BOOST_TEST(Live::eventually([&] { return rig.sums("up").all.rx_packets > kMany; }));
    rig.lan(nlohmann::json::object());
    BOOST_TEST(rig.balanced());
    BOOST_TEST(mbufs_in_use() == 0u);
    rig.inside().collect();
  }
}

BOOST_AUTO_TEST_CASE(two_devices_flood_each_other_and_every_frame_is_accounted_for) {
  NicRig rig(2);
  rig.lan({{"a", nic("net_null0,size=64")}, {"b", nic("net_null1,size=1500")}});
  BOOST_TEST(Live::eventually(
      [&] { return rig.sums("a").all.rx_packets > kMany && rig.sums("b").all.rx_packets > kMany; }));
  rig.lan(nlohmann::json::object());
  BOOST_TEST(rig.balanced());
  BOOST_TEST(mbufs_in_use() == 0u);
}

BOOST_AUTO_TEST_CASE(what_a_device_still_holds_is_freed_with_it) {
  NicRig rig;
  rig.lan({{"up", nic("net_ring0")}});
  const size_t made = pools();
  rig.inside().inject(frame(station(1), station(2), 100), 50);
  // A ring is its own other end: what was sent is received again.
  BOOST_TEST(rig.inside().wait_for(50, std::chrono::seconds(10)));
  for (int i = 0; i < 10; ++i) {
    rig.inside().inject(frame(station(1), station(2), 100), 500);
    rig.lan(nlohmann::json::object());
    BOOST_TEST(Live::eventually([&] { return rig.inside().backlog() == 0; }));
    BOOST_TEST(mbufs_in_use() == 0u);
    rig.lan({{"up", nic("net_ring0")}});
  }
  BOOST_TEST(pools() == made);
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
}

BOOST_AUTO_TEST_CASE(frames_of_a_device_that_is_gone_live_on_in_another) {
  NicRig rig;
  rig.lan({{"ring", nic("net_ring0")}});
  const size_t made = pools();
  for (int i = 0; i < 5; ++i) {
    rig.lan({{"ring", nic("net_ring0")}, {"source", nic("net_null0")}});
    BOOST_TEST(Live::eventually([&] { return rig.sums("ring").all.tx_packets > 0; }));
    rig.lan({{"ring", nic("net_ring0")}});  // the ring may still hold frames out of the source's pool
  }
  rig.lan(nlohmann::json::object());
  rig.lan({{"ring", nic("net_ring0")}});
  BOOST_TEST(pools() == made);
  BOOST_TEST(mbufs_in_use() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
