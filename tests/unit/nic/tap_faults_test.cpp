// What goes wrong with a tap: it disappears, goes down, comes and goes under traffic.
#include "tests/unit/nic/nic_rig.hpp"

using namespace testbed;
using namespace testbed::test;

namespace {

const nlohmann::json kTap = nic("net_tap0,iface=tb0");

}  // namespace

BOOST_AUTO_TEST_SUITE(tap_faults, *boost::unit_test::precondition(has_taps))

BOOST_AUTO_TEST_CASE(a_port_that_comes_and_goes_twenty_times_leaves_nothing) {
  NicRig rig;
  rig.lan({{"up", kTap}});
  rig.lan(nlohmann::json::object());  // the driver keeps what it makes for the first device of a process
  const size_t files = open_files(), made = pools();
  for (int i = 0; i < 20; ++i) {
    rig.lan({{"up", kTap}});
    {
      Wire wire("tb0");
      const Frame out = frame(station(1), station(2), 70);
      BOOST_TEST((rig.through(out, wire) == out));
    }
    rig.lan(nlohmann::json::object());
    BOOST_TEST(Live::eventually([] { return !interface_exists("tb0"); }));
  }
  BOOST_TEST(open_files() == files);
  BOOST_TEST(pools() == made);
  BOOST_TEST(mbufs_in_use() == 0u);
  BOOST_TEST(rig.balanced());
}

BOOST_AUTO_TEST_CASE(a_port_is_removed_while_both_sides_send) {
  NicRig rig;
  for (int i = 0; i < 10; ++i) {
    rig.lan({{"up", kTap}});
    Wire wire("tb0");
    for (int sent = 0; sent < 100; ++sent) wire.send(frame(station(2), station(1), 500));
    rig.inside().inject(frame(station(1), station(2), 500), 2000);
    BOOST_REQUIRE(wire.receive().has_value());
    rig.lan(nlohmann::json::object());
  }
  BOOST_TEST(Live::eventually([&] { return rig.inside().backlog() == 0 && rig.balanced(); }));
  BOOST_TEST(rig.inside().unreleased() == 0u);
  BOOST_TEST(mbufs_in_use() == 0u);
}

BOOST_AUTO_TEST_CASE(an_interface_deleted_under_the_port_costs_its_frames_and_nothing_else) {
  NicRig rig;
  rig.lan({{"up", kTap}, {"other", {{"type", "fake"}, {"to", "lan"}}}});
  ip("link del tb0");
  rig.inside().inject(frame(station(1), station(2), 100), 10);
  BOOST_TEST(rig.ports["other"].wait_for(10, std::chrono::seconds(10)));
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
  BOOST_TEST(rig.drops("up", DropReason::port_down) == 10u);
  BOOST_TEST(rig.up()["state"] == "down");
  rig.lan(nlohmann::json::object());
  rig.lan({{"up", kTap}});  // and can be made again
  Wire wire("tb0");
  const Frame out = frame(station(1), station(2), 100);
  BOOST_TEST((rig.through(out, wire) == out));
}

BOOST_AUTO_TEST_CASE(an_interface_that_is_down_drops_by_name_and_recovers) {
  NicRig rig;
  rig.lan({{"up", kTap}});
  const Frame out = frame(station(1), station(2), 100);
  ip("link set tb0 down");
  rig.inside().inject(out, 5);
  BOOST_TEST(Live::eventually([&] { return rig.drops("up", DropReason::port_down) == 5; }));
  BOOST_TEST(rig.up()["state"] == "down");
  ip("link set tb0 up");
  Wire wire("tb0");
  BOOST_TEST(Live::eventually([&] {
    rig.inside().inject(out);
    return wire.receive(std::chrono::milliseconds(50)).has_value();
  }));
  BOOST_TEST(rig.up()["state"] == "up");
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
}

BOOST_AUTO_TEST_CASE(an_interface_that_is_there_already_is_not_taken_over_silently) {
  auto cable = std::make_unique<Cable>("tb0", "far0");
  NicRig rig;
  BOOST_TEST(rig.refusal(kTap).find("net_tap0,iface=tb0") != std::string::npos);
  cable.reset();
  BOOST_TEST(rig.refusal(kTap) == "");
}

BOOST_AUTO_TEST_SUITE_END()
