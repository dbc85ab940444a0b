// What the machine allows: the figures are what they say, in relation to each other. None is compared with a
// number.
#include "emu/bench/limits.hpp"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

using namespace testbed::bench;
using std::chrono::milliseconds;

BOOST_AUTO_TEST_CASE(all_costs_are_positive_and_long_frames_cost_more_than_short_ones) {
  const Copies small = copy_cycles({0, 0}, 64, milliseconds(3));
  const Copies large = copy_cycles({0, 0}, 9000, milliseconds(3));
  BOOST_TEST(small.local > 0);
  BOOST_TEST(large.local > small.local);
  BOOST_TEST(large.fetch > small.fetch);
  BOOST_TEST(large.claim > small.claim);
}

BOOST_AUTO_TEST_CASE(a_cpu_that_is_not_there_is_an_error_at_either_end) {
  BOOST_CHECK_THROW(ping_pong_cycles({1023, 0}, milliseconds(1)), std::runtime_error);
  BOOST_CHECK_THROW(ping_pong_cycles({0, 1023}, milliseconds(1)), std::runtime_error);
}
