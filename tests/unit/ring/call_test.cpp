// When a driver is called: the places a pipe of two guests does not come to.
#include <boost/test/unit_test.hpp>

#include "pipe.hpp"

namespace testbed::ring::test {
namespace {

const GuestOptions kOneSlot{{.size = 1, .packed = true, .event_idx = true, .first = 0x8000}};

// The driver offers its one buffer and the device gives it back, so often.
PackedRing::Cursor go_round(Owner& owner, const PackedRing& ring, PackedRing::Cursor cursor, int times) {
  for (int i = 0; i < times; ++i) {
    BOOST_REQUIRE(owner.post(100, 1, true));
    Buffer buffer;
    Fault fault = Fault::none;
    BOOST_REQUIRE_EQUAL(ring.peek(cursor, &buffer, 1, nullptr, fault), 1);
    const uint32_t length = 20;
    ring.give_back(cursor, &buffer, &length, 1, nullptr);
    owner.give_back(length);
    owner.reap();
  }
  return cursor;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(call)

BOOST_AUTO_TEST_CASE(a_ring_that_is_back_where_it_was_has_moved_and_calls) {
  for (const int laps : {1, 2, 3, 4}) {
    Guest guest(kOneSlot);
    Owner owner(guest, 1);
    const auto ring = guest.make_ring<PackedRing>();
    const auto before = ring.resume(0x8000);
    const auto now = go_round(owner, ring, before, laps);
    guest.driver().want_calls(true);  // as of the next buffer
    // Of one lap the next place to be used is not among those just given back; of two it is everywhere.
    BOOST_TEST(PackedRing::moved(before, now));
    BOOST_TEST(ring.wants_call(before, now) == (laps > 1));
  }
}

BOOST_AUTO_TEST_CASE(a_ring_that_did_not_move_calls_nobody) {
  Guest guest(kOneSlot);
  const auto ring = guest.make_ring<PackedRing>();
  guest.driver().want_calls(true);
  BOOST_TEST(!PackedRing::moved(ring.resume(0x8000), ring.resume(0x8000)));
  BOOST_TEST(!ring.wants_call(ring.resume(0x8000), ring.resume(0x8000)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
