// An interface that is there already, through a packet socket.
#include "tests/unit/nic/nic_rig.hpp"

using namespace testbed;
using namespace testbed::test;

namespace {

const nlohmann::json kPort = nic("net_af_packet0,iface=af0");

struct Rig : NicRig {
  Rig() { lan({{"up", kPort}}); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(af_packet, *boost::unit_test::precondition(has_packet_sockets))

BOOST_AUTO_TEST_CASE(frames_of_every_size_pass_whole_in_both_directions) {
  Cable cable("af0", "far0");
  Rig rig;
  Wire wire("far0");
  for (const size_t size : {60u, 64u, 128u, 129u, 1000u, 1513u, 1514u}) {
    const Frame out = frame(station(1), station(2), size), in = frame(station(2), station(1), size);
    BOOST_TEST((rig.through(out, wire) == out), "out: " << size << " octets");
    BOOST_TEST((rig.through(wire, in) == in), "in: " << size << " octets");
  }
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
  BOOST_TEST(rig.sums("up").all.rx_packets == 7u);
  BOOST_TEST(rig.sums("up").all.tx_packets == 7u);
}

BOOST_AUTO_TEST_CASE(a_tagged_frame_of_full_length_keeps_its_tag) {
  Cable cable("af0", "far0");
  Rig rig;
  Wire wire("far0");
  const Frame out = tagged(frame(station(1), station(2), 1514), 0x2064),
              in = tagged(frame(station(2), station(1), 1514), 7);
  BOOST_TEST((rig.through(out, wire) == out));
  BOOST_TEST((rig.through(wire, in) == in));
}

BOOST_AUTO_TEST_CASE(a_frame_longer_than_the_mtu_is_dropped_by_name_and_does_not_stop_the_queue) {
  Cable cable("af0", "far0");
  Rig rig;
  Wire wire("far0");
  const Frame small = frame(station(1), station(2), 100);
  rig.inside().inject(frame(station(1), station(2), 1515));
  rig.inside().inject(frame(station(1), station(2), 5000));
  BOOST_TEST((rig.through(small, wire) == small));
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
  BOOST_TEST(rig.drops("up", DropReason::too_big) == 2u);
  BOOST_TEST(rig.sums("up").all.tx_packets == 1u);
}

// The kernel hands over frames it has not segmented yet; the packet socket's ring cuts them off.
BOOST_AUTO_TEST_CASE(a_frame_that_was_cut_off_does_not_enter_the_switch) {
  Cable cable("af0", "far0");
  Rig rig;
  ip("link set af0 mtu 9000");
  ip("link set far0 mtu 9000");
  Wire wire("far0");
  const Frame small = frame(station(2), station(1), 100);
  wire.send(frame(station(2), station(1), 5000));
  BOOST_TEST((rig.through(wire, small) == small));
  BOOST_TEST(rig.sums("up").all.rx_packets == 1u);
  BOOST_TEST(rig.up()["rx_too_big"] == 1);
  BOOST_TEST(Live::eventually([&] { return rig.balanced() && mbufs_in_use() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_missing_interface_is_named) {
  NicRig rig;
  const std::string said = rig.refusal(kPort);
  BOOST_TEST(said.find("net_af_packet0,iface=af0") != std::string::npos, said);
  BOOST_TEST(open_files() > 0u);
  Cable cable("af0", "far0");
  BOOST_TEST(rig.refusal(kPort) == "");
}

BOOST_AUTO_TEST_CASE(an_interface_deleted_under_the_port_costs_its_frames_and_nothing_else) {
  auto cable = std::make_unique<Cable>("af0", "far0");
  Rig rig;
  rig.lan({{"up", kPort}, {"other", {{"type", "fake"}, {"to", "lan"}}}});
  cable.reset();
  rig.inside().inject(frame(station(1), station(2), 100), 10);
  BOOST_TEST(rig.ports["other"].wait_for(10, std::chrono::seconds(10)));
  rig.lan(nlohmann::json::object());
  BOOST_TEST(Live::eventually([&] { return rig.balanced(); }));
  BOOST_TEST(mbufs_in_use() == 0u);
}

BOOST_AUTO_TEST_CASE(a_port_that_comes_and_goes_leaves_nothing) {
  Cable cable("af0", "far0");
  NicRig rig;
  const size_t files = open_files(), made = pools();
  for (int i = 0; i < 10; ++i) {
    rig.lan({{"up", kPort}});
    Wire wire("far0");
    const Frame out = frame(station(1), station(2), 70);
    BOOST_TEST((rig.through(out, wire) == out));
    rig.lan(nlohmann::json::object());
  }
  BOOST_TEST(open_files() == files);
  BOOST_TEST(pools() == made);
}

BOOST_AUTO_TEST_SUITE_END()
