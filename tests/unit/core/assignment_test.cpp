// Who polls what, when ports come and go.
#include "core/worker/assignment.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <deque>

#include "tests/unit/core/fake_port.hpp"

using namespace testbed;

namespace {

// Ports that only have a number of queues.
struct Ports {
  Plan plan(const std::vector<size_t>& which) {
    Plan made;
    for (const size_t i : which) made.ports.push_back({&all[i], nullptr, {}, pinned[i]});
    return made;
  }
  std::deque<FakePort> all;
  std::map<size_t, std::vector<uint16_t>> pinned;
};

Plan assigned(Plan plan, const Plan& before, uint16_t workers, AssignmentPolicy policy) {
  assign_queues(plan, before, workers, policy);
  return plan;
}

std::vector<size_t> counts(const Plan& plan) {
  std::vector<size_t> all;
  for (const auto& poll : plan.polls) all.push_back(poll.size());
  return all;
}

using Counts = std::vector<size_t>;

// Ports 0 to 4 with 1, 4, 1, 1 and 1 queues.
struct Five : Ports {
  Five() {
    for (const uint16_t queues : {1, 4, 1, 1, 1}) all.emplace_back("p" + std::to_string(all.size()), queues);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(assignment)

BOOST_FIXTURE_TEST_CASE(new_queues_go_to_the_worker_with_the_fewest, Five) {
  for (const auto policy :
       {AssignmentPolicy::round_robin, AssignmentPolicy::cycles, AssignmentPolicy::pinned})
    BOOST_TEST((counts(assigned(plan({0, 1, 2, 3}), {}, 3, policy)) == Counts{3, 2, 2}));
}

BOOST_FIXTURE_TEST_CASE(a_queue_stays_where_it_is_when_others_come, Five) {
  const Plan before = assigned(plan({0, 1}), {}, 2, AssignmentPolicy::round_robin);
  const Plan after = assigned(plan({0, 1, 2, 3}), before, 2, AssignmentPolicy::round_robin);
  BOOST_TEST(moved_queues(before, after).empty());
  BOOST_TEST((counts(after) == Counts{4, 3}));
}

BOOST_FIXTURE_TEST_CASE(round_robin_levels_what_removed_ports_left_behind_and_the_others_do_not, Five) {
  Plan before = plan({0, 1, 2});
  before.polls = {{{1, 0}, {1, 1}, {1, 2}, {1, 3}}, {{0, 0}, {2, 0}}};
  const Plan levelled = assigned(plan({1}), before, 2, AssignmentPolicy::round_robin);
  BOOST_TEST((counts(levelled) == Counts{2, 2}));
  BOOST_TEST(moved_queues(before, levelled).size() == 2u);
  for (const auto policy : {AssignmentPolicy::cycles, AssignmentPolicy::pinned})
    BOOST_TEST((counts(assigned(plan({1}), before, 2, policy)) == Counts{4, 0}));
}

BOOST_FIXTURE_TEST_CASE(pinned_queues_go_where_they_are_told_in_turn, Five) {
  const Plan before = assigned(plan({1}), {}, 3, AssignmentPolicy::pinned);
  pinned[1] = {2, 0};
  const Plan after = assigned(plan({1}), before, 3, AssignmentPolicy::round_robin);
  BOOST_TEST((after.polls[2] == std::vector<PlanQueue>{{0, 0}, {0, 2}}));
  BOOST_TEST((after.polls[0] == std::vector<PlanQueue>{{0, 1}, {0, 3}}));
  BOOST_TEST(after.polls[1].empty());  // not levelled either
}

BOOST_FIXTURE_TEST_CASE(queues_that_are_not_pinned_make_room_for_those_that_are, Five) {
  pinned[1] = {0};
  const Plan after = assigned(plan({0, 1, 2, 3, 4}), {}, 2, AssignmentPolicy::pinned);
  BOOST_TEST((counts(after) == Counts{4, 4}));
}

BOOST_FIXTURE_TEST_CASE(between_two_plans_nobody_polls_what_moves, Five) {
  const Plan before = assigned(plan({0, 1}), {}, 2, AssignmentPolicy::pinned);
  pinned[1] = {1};
  const Plan after = assigned(plan({0, 1, 2}), before, 2, AssignmentPolicy::pinned);
  const auto moves = moved_queues(before, after);
  BOOST_TEST(!moves.empty());
  const Plan between = without(after, moves);
  for (const QueueMove& move : moves) {
    for (const auto& poll : between.polls) BOOST_TEST((std::ranges::find(poll, move.queue) == poll.end()));
    BOOST_TEST(move.to == 1u);
    BOOST_TEST(move.from == 0u);
  }
  BOOST_TEST(counts(between)[0] + counts(between)[1] + moves.size() == 6u);  // all others are
}

BOOST_AUTO_TEST_SUITE_END()
