// What a person may write wrong: one line each that says what, and how to mend it.
#include "tests/unit/nic/nic_rig.hpp"

using namespace testbed;
using namespace testbed::test;

namespace {

struct Said {
  NicRig rig;
  bool about(const nlohmann::json& port, const std::vector<std::string>& words) {
    const size_t files = open_files(), made = pools();
    const std::string said = rig.refusal(port);
    BOOST_TEST_CONTEXT(said) {
      for (const auto& word : words) BOOST_TEST((said.find(word) != std::string::npos), "says: " << word);
      BOOST_TEST(said.find('\n') == std::string::npos);
      BOOST_TEST(open_files() == files);
      BOOST_TEST(pools() == made);
    }
    return !said.empty();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mistakes)

BOOST_AUTO_TEST_CASE(a_driver_that_is_not_in_the_build_is_told_with_those_that_are) {
  Said said;
  BOOST_TEST(said.about(nic("net_virtio_user0,path=/x"), {"net_virtio_user0", "net_tap", "net_memif"}));
  BOOST_TEST(said.about(nic("eth0"), {"eth0", "net_af_packet"}));
}

BOOST_AUTO_TEST_CASE(an_unknown_argument_is_told_with_the_device) {
  Said said;
  BOOST_TEST(said.about(nic("net_null0,sizes=64"), {"net_null0,sizes=64"}));
}

BOOST_AUTO_TEST_CASE(more_queues_than_the_device_has_are_told_with_how_many_it_has) {
  Said said;
  BOOST_TEST(said.about(nic("net_pcap0,rx_iface=lo,tx_iface=lo", {{"queues", 40}}), {"net_pcap0"}));
  BOOST_TEST(said.about(nic("net_ring0", {{"queues", 64}}), {"net_ring0", "queues", "64"}));
}

BOOST_AUTO_TEST_CASE(one_device_is_one_port) {
  NicRig rig;
  rig.lan({{"a", nic("net_null0")}});
  const auto applied =
      rig.control->apply(NicRig::document({{"a", nic("net_null0")}, {"b", nic("net_null0")}}));
  BOOST_REQUIRE(!applied.has_value());
  BOOST_TEST(applied.error().message.find("net_null0 is in use by another port") != std::string::npos);
  BOOST_TEST(rig.control->ports().contains("a"));
}

BOOST_AUTO_TEST_CASE(an_mtu_that_the_driver_does_not_carry_is_told_with_the_one_it_does,
                     *boost::unit_test::precondition(has_taps)) {
  Said said;
  BOOST_TEST(said.about(nic("net_tap0,iface=tb0", {{"mtu", 9000}}), {"net_tap0", "9000", "1504"}));
  BOOST_TEST(!interface_exists("tb0"));
}

BOOST_AUTO_TEST_CASE(options_are_checked_before_anything_is_made) {
  Said said;
  BOOST_TEST(said.about(nic("net_null0", {{"mtu", 60}}), {"mtu"}));
  BOOST_TEST(said.about(nic(""), {"device"}));
  BOOST_TEST(said.about(nic("net_null0", {{"quees", 1}}), {"quees"}));
  BOOST_TEST(
      said.about({{"type", "vhost"}, {"path", "/tmp/x.sock"}, {"quees", 1}, {"to", "lan"}}, {"quees"}));
}

BOOST_AUTO_TEST_SUITE_END()
