// What one ring does at its edges: notifications, faults of the device, positions, hand-built chains.
#include <boost/test/unit_test.hpp>

#include "ring_fixture.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::driver {
namespace {

uint16_t& word(const RingFixture& f, uint64_t gpa) {
  return *reinterpret_cast<uint16_t*>(f.memory.at(gpa, 2));
}

uint16_t offer(RingFixture& f, uint32_t length = 100) {
  const auto token = f.ring->acquire(1);
  const Segment segment{0x50000, length, true};
  f.ring->add(*token, {&segment, 1});
  f.ring->publish();
  return *token;
}

std::vector<UsedChain> take(RingFixture& f) {
  std::vector<UsedChain> used(64);
  used.resize(f.ring->take(used));
  return used;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ring)

BOOST_AUTO_TEST_CASE(a_split_device_that_wants_no_kick_gets_none) {
  RingFixture f({.size = 8});
  offer(f);
  BOOST_TEST(f.ring->kick_wanted());
  word(f, f.place.used) = 1;  // VIRTQ_USED_F_NO_NOTIFY
  offer(f);
  BOOST_TEST(!f.ring->kick_wanted());
}

BOOST_AUTO_TEST_CASE(with_an_event_index_the_kick_comes_when_it_is_passed_also_round_the_end) {
  RingFixture f({.size = 8, .event_idx = true, .first = 65534});
  const uint64_t avail_event = f.place.used + 4 + 8 * 8;
  word(f, avail_event) = 65535;  // tell me of the chain at 65535
  offer(f);
  BOOST_TEST(!f.ring->kick_wanted());
  offer(f);
  BOOST_TEST(f.ring->kick_wanted());
  offer(f);
  BOOST_TEST(!f.ring->kick_wanted());
  word(f, avail_event) = 2;
  offer(f);
  offer(f);
  BOOST_TEST(f.ring->kick_wanted());  // 1 and 2
}

BOOST_AUTO_TEST_CASE(a_packed_device_is_kicked_as_its_event_area_says) {
  RingFixture f({.size = 8, .packed = true, .event_idx = true, .first = 0x8006});
  const uint64_t flags = f.place.used + 2, offset = f.place.used;
  word(f, flags) = 1;
  offer(f);
  BOOST_TEST(!f.ring->kick_wanted());
  word(f, flags) = 2;
  word(f, offset) = 0x8007;  // this lap's last slot
  offer(f);
  BOOST_TEST(f.ring->kick_wanted());
  word(f, offset) = 0x0001;  // the next lap's second
  offer(f);
  BOOST_TEST(!f.ring->kick_wanted());
  offer(f);
  BOOST_TEST(f.ring->kick_wanted());
  word(f, flags) = 0;
  offer(f);
  BOOST_TEST(f.ring->kick_wanted());
}

BOOST_AUTO_TEST_CASE(calls_are_asked_for_and_refused_in_each_formats_own_way) {
  RingFixture split({.size = 8});
  split.ring->want_calls(true);
  BOOST_TEST(word(split, split.place.available) == 0);
  split.ring->want_calls(false);
  BOOST_TEST(word(split, split.place.available) == 1);

  RingFixture event({.size = 8, .event_idx = true, .first = 5});
  event.ring->want_calls(true);
  BOOST_TEST(word(event, event.place.available + 4 + 2 * 8) == 5);
  event.ring->want_calls(false);
  BOOST_TEST(word(event, event.place.available + 4 + 2 * 8) == 4);

  RingFixture packed({.size = 8, .packed = true, .event_idx = true, .first = 0x8003});
  packed.ring->want_calls(true);
  BOOST_TEST(word(packed, packed.place.available) == 0x8003);
  BOOST_TEST(word(packed, packed.place.available + 2) == 2);
  packed.ring->want_calls(false);
  BOOST_TEST(word(packed, packed.place.available + 2) == 1);
}

BOOST_AUTO_TEST_CASE(a_used_entry_given_twice_is_counted_and_not_believed) {
  for (const bool packed : {false, true}) {
    RingFixture f({.size = 8, .packed = packed, .first = packed ? wire::kPositionStart : uint16_t{0}});
    offer(f);
    offer(f);
    const auto first = *f.device.next();
    f.device.finish(first, 1);
    f.device.finish(first, 1);
    BOOST_TEST(take(f).size() == 1);
    BOOST_TEST(f.ring->faults() == (RingFaults{.unknown_id = 1}));
  }
}

BOOST_AUTO_TEST_CASE(more_returned_chains_than_were_posted_are_counted_once_and_none_is_taken) {
  RingFixture f({.size = 8});
  offer(f);
  word(f, f.place.used + 2) = 7;
  BOOST_TEST(take(f).empty());
  BOOST_TEST(take(f).empty());
  BOOST_TEST(f.ring->faults() == (RingFaults{.overrun = 1}));
}

BOOST_AUTO_TEST_CASE(a_length_beyond_the_chain_is_counted) {
  for (const bool packed : {false, true}) {
    RingFixture f({.size = 8, .packed = packed, .first = packed ? wire::kPositionStart : uint16_t{0}});
    offer(f, 100);
    f.device.finish(*f.device.next(), 101);
    BOOST_TEST(take(f).size() == 1);
    BOOST_TEST(f.ring->faults() == (RingFaults{.long_length = 1}));
  }
}

BOOST_AUTO_TEST_CASE(the_base_for_a_new_device_lies_behind_what_was_returned_whether_taken_or_not) {
  RingFixture split({.size = 8, .first = 65535});
  RingFixture packed({.size = 8, .packed = true, .first = 0x8007});
  for (RingFixture* f : {&split, &packed}) {
    for (int i = 0; i < 3; ++i) offer(*f);
    f->device.finish(*f->device.next(), 0);
    f->device.finish(*f->device.next(), 0);
  }
  BOOST_TEST(split.ring->resume_position() == 1);
  BOOST_TEST(packed.ring->resume_position() == 1);  // wrapped: slot 1, wrap counter 0
  BOOST_TEST(packed.ring->next_position() == 2);
}

BOOST_AUTO_TEST_CASE(a_hand_built_split_chain_can_loop_point_out_of_the_ring_and_lie_about_the_index) {
  RingFixture f({.size = 8});
  const auto token = *f.ring->acquire(2);
  const std::vector<RawDescriptor> loop{{0x50000, 1, 1, {}, {}}, {0, UINT32_MAX, 1, token, {}}};
  f.ring->add_raw(token, loop, {.head = uint16_t{77}, .avail_index = uint16_t{9}}, 0);
  BOOST_TEST(word(f, f.place.available + 4) == 77);
  BOOST_TEST(word(f, f.place.available + 2) == 9);
  const auto second = static_cast<uint16_t>(token + 1);
  BOOST_TEST(word(f, f.place.descriptors + 16 * token + 14) == second);
  BOOST_TEST(word(f, f.place.descriptors + 16 * second + 14) == token);
  BOOST_TEST(word(f, f.place.descriptors + 16 * second + 12) == 1);
}

BOOST_AUTO_TEST_CASE(a_hand_built_packed_chain_can_carry_any_id_and_any_flags) {
  RingFixture f({.size = 8, .packed = true, .first = wire::kPositionStart});
  const auto token = *f.ring->acquire(1);
  f.ring->add_raw(token, std::vector<RawDescriptor>{{1, 2, 0xffff, {}, uint16_t{500}}}, {.exact_flags = true},
                  0);
  BOOST_TEST(word(f, f.place.descriptors + 12) == 500);
  BOOST_TEST(word(f, f.place.descriptors + 14) == 0xffff);
}

BOOST_AUTO_TEST_CASE(a_chain_built_by_hand_comes_back_marked_so) {
  for (const bool packed : {false, true}) {
    RingFixture f({.size = 8, .packed = packed, .first = packed ? wire::kPositionStart : uint16_t{0}});
    const auto token = *f.ring->acquire(1);
    f.ring->add_raw(token, std::vector<RawDescriptor>{{0x50000, 64, 2, {}, {}}}, {}, 64);
    f.device.finish(*f.device.next(), 8);
    const auto used = take(f);
    BOOST_TEST_REQUIRE(used.size() == 1u);
    BOOST_TEST(used[0].raw);
    BOOST_TEST(used[0].length == 8);
  }
}

BOOST_AUTO_TEST_CASE(rings_of_impossible_size_or_place_are_refused) {
  const auto memory = *GuestMemory::open({.regions = {{0, 1u << 20, 0}}});
  const RingPlace place{0, 0x10000, 0x20000, 0x30000, 0};
  BOOST_TEST(!check_place(memory, place, {.size = 0}));
  BOOST_TEST(!check_place(memory, place, {.size = 257}));
  BOOST_TEST(check_place(memory, place, {.size = 257, .packed = true}).has_value());
  BOOST_TEST(!check_place(memory, place, {.size = 32769, .packed = true}));
  BOOST_TEST(!check_place(memory, {8, 0x10000, 0x20000}, {.size = 8}));
  BOOST_TEST(!check_place(memory, {0, 0x10000, (1u << 20) - 16}, {.size = 8}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
