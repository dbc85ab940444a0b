#include "emu/flow/outage.hpp"

#include <boost/test/unit_test.hpp>

#include "emu/flow/rate_bins.hpp"

using namespace testbed::flow;

namespace {

constexpr uint64_t kMs = 1'000'000, kLong = 3'600'000 * kMs;

struct Watched {
  Watched() {
    detector.set_threshold_for(20000);
    for (uint64_t t = 1000; t < 1100; ++t) detector.arrived(t * kMs, kLong);
  }
  OutageDetector detector;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(outage_detector, Watched)

BOOST_AUTO_TEST_CASE(a_silence_over_the_threshold_is_an_outage_with_its_edges) {
  detector.arrived(1199 * kMs, kLong);
  BOOST_REQUIRE_EQUAL(detector.outages().size(), 1u);
  BOOST_TEST(detector.outages()[0].start_ns == 1099 * kMs);
  BOOST_TEST(detector.outages()[0].end_ns == 1199 * kMs);
}

BOOST_AUTO_TEST_CASE(a_silence_within_the_threshold_is_none) {
  detector.arrived((1099 + 20) * kMs, kLong);
  BOOST_TEST(detector.outages().empty());
}

BOOST_AUTO_TEST_CASE(a_senders_own_pause_is_none) {
  detector.arrived(5000 * kMs, 3 * kMs);  // started again three milliseconds ago
  BOOST_TEST(detector.outages().empty());
}

BOOST_AUTO_TEST_CASE(an_outage_across_a_senders_start_counts_from_the_start) {
  detector.arrived(5000 * kMs, 70 * kMs);
  BOOST_REQUIRE_EQUAL(detector.outages().size(), 1u);
  BOOST_TEST(detector.outages()[0].start_ns == 4930 * kMs);
}

BOOST_AUTO_TEST_CASE(silence_is_announced_once_and_so_is_its_end) {
  BOOST_TEST(!detector.fell_silent(1110 * kMs));
  BOOST_TEST(detector.fell_silent(1120 * kMs));
  BOOST_TEST(!detector.fell_silent(1130 * kMs));
  BOOST_TEST(detector.arrived(1140 * kMs, kLong));
  BOOST_TEST(!detector.arrived(1141 * kMs, kLong));
}

BOOST_AUTO_TEST_CASE(the_first_packet_of_all_moves_the_flow_and_ends_no_outage) {
  OutageDetector fresh;
  BOOST_TEST(!fresh.fell_silent(kLong));
  BOOST_TEST(fresh.arrived(kLong, kLong));
  BOOST_TEST(fresh.outages().empty());
}

BOOST_AUTO_TEST_CASE(the_threshold_is_twenty_intervals_and_never_below_twenty_milliseconds) {
  detector.set_threshold_for(100);
  BOOST_TEST(detector.threshold_ns() == 200 * kMs);
  detector.set_threshold_for(1e6);
  BOOST_TEST(detector.threshold_ns() == 20 * kMs);
  detector.set_threshold_for(0);
  BOOST_TEST(detector.threshold_ns() == 20 * kMs);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(rate_bins)

BOOST_AUTO_TEST_CASE(bins_lie_at_multiples_of_their_width) {
  RateBins bins;
  bins.add(1'234'567'890, 1);
  bins.add(1'255'000'000, 2, 3'000'000);
  BOOST_TEST(bins.start_ns() == 1'230'000'000u);
  BOOST_REQUIRE_EQUAL(bins.bins().size(), 3u);
  BOOST_TEST(bins.bins()[2].count == 2u);
  BOOST_TEST(bins.bins()[2].peak_us == 3000u);
}

BOOST_AUTO_TEST_CASE(a_long_run_makes_bins_wider_and_loses_no_count) {
  RateBins bins;
  const uint64_t start = 1'010'000'000;  // in the upper half of a wider bin
  for (uint64_t i = 0; i < 3 * RateBins::kMaxBins; ++i) bins.add(start + i * RateBins::kFirstWidth_ns, 1);
  BOOST_TEST(bins.width_ns() == 4 * RateBins::kFirstWidth_ns);
  BOOST_TEST(bins.bins().size() <= RateBins::kMaxBins);
  BOOST_TEST(bins.start_ns() % bins.width_ns() == 0u);
  uint64_t sum = 0;
  for (const auto& bin : bins.bins()) sum += bin.count;
  BOOST_TEST(sum == 3 * RateBins::kMaxBins);
  BOOST_TEST(bins.bins()[1].count == 4u);
}

BOOST_AUTO_TEST_CASE(a_time_before_the_first_bin_counts_there) {
  RateBins bins;
  bins.add(2'000'000'000, 1);
  bins.add(1'000'000'000, 1);
  BOOST_REQUIRE_EQUAL(bins.bins().size(), 1u);
  BOOST_TEST(bins.bins()[0].count == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
