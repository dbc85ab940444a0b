// When a ring is called stuck.
#include <boost/test/unit_test.hpp>

#include "vdev/vhost/stuck_detector.hpp"

using testbed::vhost::StuckDetector;

namespace {

constexpr uint32_t kPolls = StuckDetector::kInVain;

// How often it is reported in so many looks at a ring where buffers wait, polled in vain `polls` times
// between them.
int reports(StuckDetector& detector, int looks, uint32_t polls) {
  int found = 0;
  for (int i = 1; i <= looks; ++i)
    found += detector.look(StuckDetector::Look{7, true, static_cast<uint32_t>(i) * polls});
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stuck)

BOOST_AUTO_TEST_CASE(a_ring_that_is_polled_in_vain_is_stuck_and_told_once) {
  StuckDetector detector;
  BOOST_TEST(reports(detector, StuckDetector::kLooks, kPolls) == 0);
  BOOST_TEST(!detector.stuck());
  StuckDetector longer;
  BOOST_TEST(reports(longer, 100, kPolls) == 1);
  BOOST_TEST(longer.stuck());
}

BOOST_AUTO_TEST_CASE(a_ring_nobody_looks_at_is_not_stuck) {
  StuckDetector detector;
  BOOST_TEST(reports(detector, 100, 0) == 0);
}

BOOST_AUTO_TEST_CASE(a_ring_that_moves_or_is_empty_is_not_stuck) {
  StuckDetector moving, empty;
  for (uint16_t i = 0; i < 100; ++i) {
    BOOST_TEST(!moving.look(StuckDetector::Look{i, true, i * kPolls}));
    BOOST_TEST(!empty.look(StuckDetector::Look{7, false, i * kPolls}));
  }
}

BOOST_AUTO_TEST_CASE(a_ring_that_was_stuck_and_moves_may_be_stuck_again) {
  StuckDetector detector;
  BOOST_TEST(reports(detector, 10, kPolls) == 1);
  detector.look(StuckDetector::Look{8, true, 0});
  BOOST_TEST(!detector.stuck());
  BOOST_TEST(reports(detector, 10, kPolls) == 1);
}

BOOST_AUTO_TEST_CASE(a_ring_that_stopped_is_not_stuck) {
  StuckDetector detector;
  reports(detector, 10, kPolls);
  detector.look(std::nullopt);
  BOOST_TEST(!detector.stuck());
}

BOOST_AUTO_TEST_SUITE_END()
