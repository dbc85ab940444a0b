// What a backend does to a ring that it has to leave alone is noticed, octet by octet and chain by chain.
#include "emu/driver/net/stillness.hpp"

#include <boost/test/unit_test.hpp>

#include "ring_fixture.hpp"

namespace testbed::driver {
namespace {

struct Still : RingFixture {
  explicit Still(bool packed)
      : RingFixture({.size = 8, .packed = packed, .first = packed ? uint16_t{0x8000} : uint16_t{0}}),
        stillness(memory) {
    give_back();
  }
  void give_back() {
    const auto token = ring->acquire(1);
    const Segment segment{0x50000, 100, true};
    ring->add(*token, {&segment, 1});
    ring->publish();
    device.finish(*device.next(), 60);
  }
  Stillness::Faults faults() const { return stillness.faults(*ring); }

  Stillness stillness;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stillness)

BOOST_AUTO_TEST_CASE(a_backend_that_stops_behind_its_last_chain_and_keeps_still_has_no_faults) {
  for (const bool packed : {false, true}) {
    Still f(packed);
    f.stillness.stopped(*f.ring, f.device.used_position());
    f.stillness.restarting(*f.ring);
    f.stillness.started();
    f.give_back();
    BOOST_TEST(f.faults().wrong_base == 0u);
    BOOST_TEST(f.faults().after_stop == 0u);
    BOOST_TEST(f.faults().on_disabled == 0u);
  }
}

BOOST_AUTO_TEST_CASE(another_base_than_the_place_behind_the_last_chain_is_wrong) {
  for (const bool packed : {false, true}) {
    Still f(packed);
    f.stillness.stopped(*f.ring, f.device.used_position() + 1u);
    BOOST_TEST(f.faults().wrong_base == 1u);
  }
}

BOOST_AUTO_TEST_CASE(an_octet_written_after_the_stop_is_counted_also_when_the_ring_has_started_again) {
  for (const bool packed : {false, true}) {
    Still f(packed);
    f.stillness.stopped(*f.ring, f.device.used_position());
    *f.memory.at(packed ? f.place.descriptors + 15 : f.place.used, 1) ^= 0x80;
    BOOST_TEST(f.faults().after_stop == 1u);
    f.stillness.restarting(*f.ring);
    f.stillness.started();
    BOOST_TEST(f.faults().after_stop == 1u);
  }
}

BOOST_AUTO_TEST_CASE(a_chain_that_comes_back_on_a_disabled_queue_is_counted) {
  for (const bool packed : {false, true}) {
    Still f(packed);
    f.stillness.enabled(*f.ring, false);
    BOOST_TEST(f.faults().on_disabled == 0u);
    f.give_back();
    BOOST_TEST(f.faults().on_disabled == 1u);
    f.stillness.enabled(*f.ring, true);
    f.give_back();
    BOOST_TEST(f.faults().on_disabled == 1u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
