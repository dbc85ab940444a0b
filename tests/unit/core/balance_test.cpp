#include "core/worker/balance.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <numeric>
#include <random>

using namespace testbed;

namespace {

QueueLoad load(uint16_t queue, uint16_t worker, uint64_t cycles, bool pinned = false) {
  return {{0, queue}, worker, cycles, pinned};
}

std::vector<uint64_t> by_worker(std::vector<QueueLoad> queues, const std::vector<QueueMove>& moves,
                                uint16_t workers) {
  std::vector<uint64_t> sums(workers);
  for (const QueueMove& move : moves) queues[move.queue.queue].worker = move.to;
  for (const QueueLoad& queue : queues) sums[queue.worker] += queue.cycles;
  return sums;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(balancing)

BOOST_AUTO_TEST_CASE(two_busy_queues_on_one_worker_are_parted) {
  const auto moves = balance({load(0, 0, 400), load(1, 0, 400), load(2, 1, 10)}, 2, 1000);
  BOOST_REQUIRE(moves.size() == 1u);
  BOOST_TEST(moves[0].queue.queue == 0);
  BOOST_TEST(moves[0].from == 0);
  BOOST_TEST(moves[0].to == 1);
}

BOOST_AUTO_TEST_CASE(one_queue_that_is_all_the_load_stays) {
  BOOST_TEST(balance({load(0, 0, 900), load(1, 1, 0)}, 2, 1000).empty());
}

BOOST_AUTO_TEST_CASE(a_big_queue_gets_a_worker_of_its_own) {
  const std::vector queues = {load(0, 0, 600), load(1, 0, 100), load(2, 0, 100), load(3, 1, 0)};
  const auto sums = by_worker(queues, balance(queues, 2, 1000), 2);
  BOOST_TEST(std::ranges::max(sums) == 600u);
  BOOST_TEST(std::ranges::min(sums) == 200u);
}

BOOST_AUTO_TEST_CASE(pinned_queues_stay) {
  BOOST_TEST(balance({load(0, 0, 400, true), load(1, 0, 400, true)}, 2, 1000).empty());
  const auto moves = balance({load(0, 0, 400, true), load(1, 0, 400)}, 2, 1000);
  BOOST_REQUIRE(moves.size() == 1u);
  BOOST_TEST(moves[0].queue.queue == 1);
}

BOOST_AUTO_TEST_CASE(nothing_moves_for_little_load_or_little_gain) {
  BOOST_TEST(balance({load(0, 0, 100), load(1, 0, 100)}, 2, 1000).empty());  // 20 % busy: no need
  BOOST_TEST(balance({load(0, 0, 400), load(1, 0, 40), load(2, 1, 390)}, 2, 1000).empty());
}

BOOST_AUTO_TEST_CASE(what_was_balanced_stays_balanced) {
  std::vector queues = {load(0, 0, 300), load(1, 0, 500), load(2, 0, 200), load(3, 0, 400)};
  const auto moves = balance(queues, 3, 1000);
  for (const QueueMove& move : moves) queues[move.queue.queue].worker = move.to;
  BOOST_TEST(balance(queues, 3, 1000).empty());
}

BOOST_AUTO_TEST_CASE(no_load_anywhere_is_worse_than_before_and_near_what_is_possible) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    const auto workers = static_cast<uint16_t>(2 + random() % 7);
    std::vector<QueueLoad> queues;
    uint64_t total = 0, longest = 0;
    for (uint16_t q = 0; q < 40; ++q) {
      queues.push_back(load(q, static_cast<uint16_t>(random() % workers), random() % 1000));
      total += queues.back().cycles;
      longest = std::max(longest, queues.back().cycles);
    }
    const auto before = by_worker(queues, {}, workers);
    const auto after = by_worker(queues, balance(queues, workers, 1), workers);
    const uint64_t most = *std::ranges::max_element(after);
    BOOST_TEST(most <= *std::ranges::max_element(before));
    // Not worth 15 %, or within one queue of even.
    BOOST_TEST((after == before || most <= total / workers + longest));
    BOOST_TEST(std::accumulate(after.begin(), after.end(), uint64_t{0}) == total);
  }
}

BOOST_AUTO_TEST_SUITE_END()
