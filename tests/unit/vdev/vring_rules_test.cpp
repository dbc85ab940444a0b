// Sizes, addresses and positions of rings.
#include <boost/test/unit_test.hpp>

#include "rules_rig.hpp"

using namespace testbed;
using namespace testbed::test;
using wire::Feature;
using wire::Request;
using wire::VringState;

namespace {

constexpr uint64_t kPacked = bit(Feature::RING_PACKED);

struct Described : RulesRig {
  explicit Described(uint64_t features = 0) {
    take(said(Request::SET_FEATURES, features));
    take(one_region());
  }
  std::string num(uint32_t size) const { return judge(said(Request::SET_VRING_NUM, VringState{0, size})); }
  std::string base(uint32_t at) const { return judge(said(Request::SET_VRING_BASE, VringState{0, at})); }
  std::string addr(const wire::VringAddr& at) const { return judge(said(Request::SET_VRING_ADDR, at)); }
};

struct OfEight : Described {
  explicit OfEight(uint64_t features = 0) : Described(features) {
    BOOST_REQUIRE_EQUAL(take(said(Request::SET_VRING_NUM, VringState{0, 8})), "");
  }
};

wire::VringAddr moved(uint64_t wire::VringAddr::*part, uint64_t to) {
  wire::VringAddr at = address();
  at.*part = to;
  return at;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vring_rules)

BOOST_AUTO_TEST_CASE(a_split_ring_has_a_power_of_two_up_to_32768) {
  Described split;
  for (const uint32_t size : {1u, 2u, 256u, 32768u}) BOOST_TEST(split.num(size) == "");
  for (const uint32_t size : {0u, 3u, 257u, 32769u, 65536u, 65792u, 0xffffffffu})
    BOOST_TEST(split.num(size) == "vring");
}

BOOST_AUTO_TEST_CASE(a_packed_ring_has_any_size_up_to_32768) {
  Described packed(kPacked);
  for (const uint32_t size : {1u, 3u, 257u, 32767u, 32768u}) BOOST_TEST(packed.num(size) == "");
  for (const uint32_t size : {0u, 32769u, 65536u}) BOOST_TEST(packed.num(size) == "vring");
}

BOOST_AUTO_TEST_CASE(a_split_rings_index_counts_to_65535) {
  OfEight split;
  for (const uint32_t at : {0u, 7u, 8u, 65535u}) BOOST_TEST(split.base(at) == "");
  BOOST_TEST(split.base(65536) == "vring");
}

BOOST_AUTO_TEST_CASE(a_packed_rings_position_is_a_slot_and_a_wrap_counter) {
  OfEight packed(kPacked);
  for (const uint32_t at : {0u, 7u, 0x8000u, 0x8007u, 0x80078007u}) BOOST_TEST(packed.base(at) == "");
  for (const uint32_t at : {8u, 0x8008u, 0x7fffu, 0x80088000u}) BOOST_TEST(packed.base(at) == "vring");
}

BOOST_AUTO_TEST_CASE(a_position_that_came_before_the_size_is_judged_with_it) {
  Described packed(kPacked);
  BOOST_TEST(packed.take(said(Request::SET_VRING_BASE, VringState{0, 100})) == "");
  BOOST_TEST(packed.take(said(Request::SET_VRING_ADDR, address())) == "");
  BOOST_TEST(packed.num(101) == "");
  BOOST_TEST(packed.num(8) == "vring");
}

BOOST_AUTO_TEST_CASE(each_part_of_a_ring_lies_in_one_region) {
  const uint64_t end = kUser + kMemory;
  OfEight split;
  BOOST_TEST(split.addr(address()) == "");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::descriptor, end - 128)) == "");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::descriptor, end - 112)) == "vring");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::available, end - 20)) == "");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::available, end - 18)) == "vring");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::used, end - 68)) == "");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::used, end - 64)) == "vring");
  for (const uint64_t nowhere : {uint64_t{0}, end, ~uint64_t{15}})
    BOOST_TEST(split.addr(moved(&wire::VringAddr::descriptor, nowhere)) == "vring");
}

BOOST_AUTO_TEST_CASE(the_event_index_is_a_part_of_the_ring) {
  OfEight split(bit(Feature::RING_EVENT_IDX));
  BOOST_TEST(split.addr(moved(&wire::VringAddr::available, kUser + kMemory - 22)) == "");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::available, kUser + kMemory - 20)) == "vring");
}

BOOST_AUTO_TEST_CASE(each_part_is_aligned) {
  OfEight split;
  BOOST_TEST(split.addr(moved(&wire::VringAddr::descriptor, kUser + 8)) == "vring");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::available, kUser + 0x1001)) == "vring");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::used, kUser + 0x2002)) == "vring");
}

BOOST_AUTO_TEST_CASE(no_part_overlaps_another) {
  OfEight split;
  BOOST_TEST(split.addr(moved(&wire::VringAddr::available, kUser + 128)) == "");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::available, kUser + 126)) == "vring");
  BOOST_TEST(split.addr(moved(&wire::VringAddr::used, kUser + 0x1000)) == "vring");
}

BOOST_AUTO_TEST_CASE(parts_may_come_in_any_order_and_the_last_one_is_judged_with_the_others) {
  const wire::VringAddr edge = moved(&wire::VringAddr::descriptor, kUser + kMemory - 128);
  const Said kick = said(Request::SET_VRING_KICK, uint64_t{0}, {eventfd()});
  Described rig;
  BOOST_TEST(rig.take(kick) == "");
  BOOST_TEST(rig.take(said(Request::SET_VRING_ADDR, edge)) == "");
  BOOST_TEST(!rig.rules.said().rings[0].started());
  BOOST_TEST(rig.num(16) == "vring");
  BOOST_TEST(rig.take(said(Request::SET_VRING_NUM, VringState{0, 8})) == "");
  BOOST_TEST(rig.rules.said().rings[0].started());
}

BOOST_AUTO_TEST_CASE(nothing_of_a_ring_changes_while_it_runs) {
  RulesRig rig = RulesRig::shaken();
  BOOST_TEST(rig.judge(said(Request::SET_VRING_NUM, VringState{0, 16})) == "running");
  BOOST_TEST(rig.judge(said(Request::SET_VRING_BASE, VringState{0, 1})) == "running");
  BOOST_TEST(rig.judge(said(Request::SET_VRING_ADDR, moved(&wire::VringAddr::used, kUser + 0x3000))) ==
             "running");
  wire::VringAddr logged = address();
  logged.flags = 1;
  logged.log = 0x2000;
  BOOST_TEST(rig.judge(said(Request::SET_VRING_ADDR, logged)) == "");
  BOOST_TEST(rig.judge(said(Request::SET_VRING_KICK, uint64_t{0}, {eventfd()})) == "");
  rig.take(said(Request::GET_VRING_BASE, VringState{0, 0}));
  BOOST_TEST(rig.judge(said(Request::SET_VRING_NUM, VringState{0, 16})) == "");
}

BOOST_AUTO_TEST_CASE(a_ring_of_the_other_format_is_judged_anew_when_it_starts) {
  Described rig(kPacked);
  rig.take(said(Request::SET_VRING_NUM, VringState{0, 3}));
  rig.take(said(Request::SET_VRING_ADDR, moved(&wire::VringAddr::available, kUser + kMemory - 4)));
  const Said kick = said(Request::SET_VRING_KICK, uint64_t{0}, {eventfd()});
  BOOST_TEST(rig.judge(kick) == "");
  rig.take(said(Request::SET_FEATURES, uint64_t{0}));
  BOOST_TEST(rig.judge(kick) == "vring");  // no power of two
  BOOST_TEST(rig.take(said(Request::SET_VRING_NUM, VringState{0, 8})) == "");
  BOOST_TEST(rig.judge(kick) == "vring");  // and its available ring does not fit any more
  rig.take(said(Request::SET_VRING_ADDR, address()));
  BOOST_TEST(rig.judge(kick) == "");
}

BOOST_AUTO_TEST_CASE(a_ring_is_enabled_or_not) {
  Described rig;
  for (const uint32_t on : {0u, 1u})
    BOOST_TEST(rig.judge(said(Request::SET_VRING_ENABLE, VringState{0, on})) == "");
  BOOST_TEST(rig.judge(said(Request::SET_VRING_ENABLE, VringState{0, 2})) == "malformed");
}

BOOST_AUTO_TEST_SUITE_END()
