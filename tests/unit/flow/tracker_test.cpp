#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "emu/flow/sequence_tracker.hpp"

using namespace testbed::flow;

namespace {

uint64_t stamp_of(uint64_t sequence) {
  return 1000 + 10 * sequence;
}

// A stream as a network might deliver it: some packets lost, some twice, some late.
std::vector<uint64_t> delivery(std::mt19937& random, uint64_t count) {
  std::vector<std::pair<double, uint64_t>> order;
  std::uniform_real_distribution<double> chance(0, 1);
  const double loss = chance(random) * 0.5, twice = chance(random) * 0.2, late = chance(random) * 0.3;
  for (uint64_t s = 0; s < count; ++s) {
    const int copies = chance(random) < loss ? 0 : chance(random) < twice ? 2 : 1;
    for (int i = 0; i < copies; ++i)
      order.emplace_back(static_cast<double>(s) + (chance(random) < late ? chance(random) * 40 : 0), s);
  }
  std::ranges::stable_sort(order, {}, &std::pair<double, uint64_t>::first);
  std::vector<uint64_t> sequences;
  for (const auto& [at, s] : order) sequences.push_back(s);
  return sequences;
}

// The same knowledge, from the set of all that arrived.
struct Model {
  std::set<uint64_t> seen;
  uint64_t next = 0;

  Arrival arrived(uint64_t sequence) {
    const bool fresh = seen.insert(sequence).second;
    if (!fresh) return Arrival::duplicate;
    if (sequence < next) return Arrival::late;
    const bool in_order = sequence == next;
    next = sequence + 1;
    return in_order ? Arrival::in_order : Arrival::ahead;
  }
  std::vector<Gap> gaps() const {
    std::vector<Gap> gaps;
    for (uint64_t s = 0; s < next; ++s) {
      if (seen.contains(s)) continue;
      uint64_t last = s;
      while (!seen.contains(last + 1)) ++last;
      gaps.push_back({s, last, last - s + 1, s ? stamp_of(s - 1) : 0, stamp_of(last + 1)});
      s = last;
    }
    return gaps;
  }
};

bool same(const Gap& a, const Gap& b) {
  return a.first == b.first && a.last == b.last && a.missing == b.missing && a.after_ns == b.after_ns &&
         a.before_ns == b.before_ns;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sequence_tracker)

BOOST_AUTO_TEST_CASE(it_knows_what_a_model_knows_that_remembers_everything) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    SequenceTracker tracker(100000);
    Model model;
    for (const uint64_t sequence : delivery(random, 300))
      BOOST_REQUIRE((tracker.arrived(sequence, stamp_of(sequence)) == model.arrived(sequence)));
    const auto expected = model.gaps();
    BOOST_REQUIRE_EQUAL(tracker.gaps().size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) BOOST_REQUIRE(same(tracker.gaps()[i], expected[i]));
    BOOST_REQUIRE_EQUAL(tracker.next(), model.next);
    BOOST_REQUIRE_EQUAL(tracker.missing(), model.next - model.seen.size());
    BOOST_REQUIRE_EQUAL(tracker.merged(), 0u);
  }
}

BOOST_AUTO_TEST_CASE(short_of_memory_it_still_counts_the_missing_exactly_and_says_what_it_forgot) {
  SequenceTracker tracker(8);
  for (uint64_t s = 1; s < 2000; s += 2) tracker.arrived(s, stamp_of(s));  // every even one is lost
  BOOST_TEST(tracker.missing() == 1000u);
  BOOST_TEST(tracker.gaps().size() <= 8u);
  uint64_t missing = 0, covered = 0;
  for (const Gap& gap : tracker.gaps()) {
    missing += gap.missing;
    covered += gap.width();
  }
  BOOST_TEST(missing == 1000u);
  BOOST_TEST(tracker.merged() == covered - missing);
  BOOST_TEST(tracker.merged() > 0u);
}

BOOST_AUTO_TEST_CASE(in_a_merged_gap_late_and_duplicate_are_unclear_and_change_no_count) {
  SequenceTracker tracker(4);
  for (uint64_t s = 1; s < 40; s += 2) tracker.arrived(s, stamp_of(s));
  const uint64_t missing = tracker.missing();
  BOOST_TEST((tracker.arrived(0, 0) == Arrival::unclear));
  BOOST_TEST((tracker.arrived(1, 0) == Arrival::unclear));
  BOOST_TEST(tracker.missing() == missing);
  BOOST_TEST((tracker.arrived(38, stamp_of(38)) == Arrival::late));  // the newest gaps are still exact
  BOOST_TEST((tracker.arrived(39, 0) == Arrival::duplicate));
}

BOOST_AUTO_TEST_CASE(memory_stays_bounded_when_late_packets_split_gaps) {
  SequenceTracker tracker(16);
  tracker.arrived(10000, 1);
  for (uint64_t s = 1; s < 10000; s += 2) tracker.arrived(s, 1);
  BOOST_TEST(tracker.gaps().size() <= 16u);
}

BOOST_AUTO_TEST_SUITE_END()
