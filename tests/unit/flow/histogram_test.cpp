#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <vector>

#include "emu/flow/latency_histogram.hpp"
#include "tests/unit/flow/vectors.hpp"

using namespace testbed::flow;

BOOST_AUTO_TEST_SUITE(latency_histogram)

BOOST_AUTO_TEST_CASE(a_value_is_kept_to_two_significant_digits) {
  for (uint64_t value = 1; value < LatencyHistogram::kHighest_ns; value = value * 5 / 4 + 1) {
    const uint64_t highest = LatencyHistogram::highest_of(LatencyHistogram::index_of(value));
    BOOST_REQUIRE_GE(highest, value);
    BOOST_REQUIRE_LE(static_cast<double>(highest - value), static_cast<double>(value) * 0.01);
  }
}

BOOST_AUTO_TEST_CASE(buckets_follow_each_other_without_a_hole) {
  for (size_t i = 0; i < 4000; ++i)
    BOOST_REQUIRE_EQUAL(LatencyHistogram::index_of(LatencyHistogram::highest_of(i) + 1), i + 1);
}

// `encoded` is read by two independent readers in test_histogram.py, which find the percentiles that stand
// beside it.
BOOST_AUTO_TEST_CASE(encoding_and_percentiles_are_those_that_other_readers_agree_on) {
  const auto vectors = read_vectors("latency_histogram.json");
  BOOST_REQUIRE_EQUAL(vectors["histograms"].size(), 5u);
  for (const auto& golden : vectors["histograms"]) {
    LatencyHistogram histogram;
    for (const uint64_t value : golden["values"]) histogram.record(value);
    BOOST_TEST(histogram.encoded() == golden["encoded"].get<std::string>());
    for (const auto& [percent, value] : golden["percentiles"].items())
      BOOST_TEST(histogram.percentile(std::stod(percent)) == value.get<uint64_t>());
  }
}

BOOST_AUTO_TEST_CASE(a_latency_beyond_an_hour_counts_as_an_hour) {
  LatencyHistogram histogram;
  histogram.record(UINT64_MAX);
  BOOST_TEST(histogram.max_ns() == LatencyHistogram::kHighest_ns);
  BOOST_TEST(histogram.total() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
