// Getting out of the way, and coming back.
#include "core/worker/idle.hpp"

#include <boost/test/unit_test.hpp>
#include <ctime>

#include "tests/unit/core/live.hpp"

using namespace testbed;

namespace {

uint64_t cpu_ns() {
  timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(ts.tv_nsec);
}

// The processor time this process takes in a tenth of a second, in percent of one core; the least of several
// looks.
double idle_percent() {
  double least = 100;
  for (int look = 0; look < 5; ++look) {
    const uint64_t cpu = cpu_ns(), wall = now_ns();
    const timespec tenth = {0, 100'000'000};
    nanosleep(&tenth, nullptr);  // measures over this interval; waits for nothing
    least =
        std::min(least, 100.0 * static_cast<double>(cpu_ns() - cpu) / static_cast<double>(now_ns() - wall));
  }
  return least;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(idle)

BOOST_AUTO_TEST_CASE(the_ladder_spins_then_yields_then_naps_longer_and_longer_then_sleeps) {
  IdleLadder ladder;
  uint64_t now = 1'000'000'000;
  ladder.next(true, now);
  for (uint32_t i = 0; i < IdleLadder::kSpinRounds; ++i)
    BOOST_TEST((ladder.next(false, now).kind == Rest::Kind::none));
  BOOST_TEST((ladder.next(false, now).kind == Rest::Kind::yield));
  now += IdleLadder::kYieldNs;
  uint32_t nap = 0;
  for (int i = 0; i < 10; ++i) {
    const Rest rest = ladder.next(false, now);
    BOOST_REQUIRE((rest.kind == Rest::Kind::nap));
    BOOST_TEST(rest.nap_ns >= nap);
    nap = rest.nap_ns;
  }
  BOOST_TEST(nap == IdleLadder::kLongestNapNs);
  now += IdleLadder::kNapNs;
  BOOST_TEST((ladder.next(false, now).kind == Rest::Kind::sleep));
  BOOST_TEST((ladder.next(true, now).kind == Rest::Kind::none));
  BOOST_TEST((ladder.next(false, now).kind == Rest::Kind::none));  // from the beginning
}

BOOST_AUTO_TEST_CASE(who_was_given_a_cpu_does_not_nap_where_others_do) {
  const uint64_t now = 1'000'000'000;
  for (const bool pinned : {false, true}) {
    IdleLadder ladder(pinned ? IdleLadder::kPinnedYieldNs : IdleLadder::kYieldNs);
    ladder.next(true, now);
    for (uint32_t i = 0; i < IdleLadder::kSpinRounds; ++i) ladder.next(false, now);
    const auto kind = ladder.next(false, now + IdleLadder::kYieldNs).kind;
    BOOST_TEST((kind == (pinned ? Rest::Kind::yield : Rest::Kind::nap)));
    BOOST_TEST((ladder.next(false, now + IdleLadder::kPinnedYieldNs).kind == Rest::Kind::nap));
  }
}

BOOST_FIXTURE_TEST_CASE(workers_sleep_when_nothing_comes_and_a_kick_wakes_them, Live) {
  apply(lan_of(2));
  for (int round = 0; round < 20; ++round) {
    BOOST_REQUIRE(eventually([&] { return all_sleep(); }));
    ports["p0"].inject(frame(kBroadcast, station(1)));
    BOOST_REQUIRE(ports["p1"].wait_for(1, std::chrono::seconds(10)));
    ports["p1"].collect();
  }
  BOOST_TEST(eventually([&] { return balanced(); }));  // a packet is there before it is counted
}

BOOST_FIXTURE_TEST_CASE(a_sleeping_worker_takes_a_new_plan_and_its_ports, Live) {
  apply(lan_of(2));
  BOOST_REQUIRE(eventually([&] { return all_sleep(); }));
  apply(lan_of(3));
  ports["p2"].inject(frame(kBroadcast, station(1)));
  BOOST_TEST(ports["p0"].wait_for(1, std::chrono::seconds(10)));
  BOOST_REQUIRE(eventually([&] { return all_sleep(); }));
  apply(lan_of(1));  // frees ports that the sleeping worker had armed
  apply(lan_of(2));
  ports["p1"].inject(frame(kBroadcast, station(1)));
  BOOST_TEST(ports["p0"].wait_for(2, std::chrono::seconds(10)));
}

BOOST_FIXTURE_TEST_CASE(a_port_that_cannot_kick_is_looked_at_all_the_same, Live) {
  apply(lan_of(2));
  ports["p0"].can_kick = false;
  ports["p1"].inject(frame(kBroadcast, station(2)));  // out of the sleep in which it still could
  BOOST_REQUIRE(ports["p0"].wait_for(1, std::chrono::seconds(10)));
  BOOST_REQUIRE(eventually([&] { return all_sleep(); }));
  ports["p0"].inject(frame(kBroadcast, station(1)));
  BOOST_TEST(ports["p1"].wait_for(1, std::chrono::seconds(10)));
}

BOOST_FIXTURE_TEST_CASE(an_idle_switch_leaves_the_processor_alone, Live) {
  apply(lan_of(4));
  BOOST_REQUIRE(eventually([&] { return all_sleep(); }));
  BOOST_TEST(idle_percent() < 3.0);
}

BOOST_FIXTURE_TEST_CASE(waiting_for_sleeping_workers_returns_at_once, Live) {
  apply(lan_of(2));
  BOOST_REQUIRE(eventually([&] { return all_sleep(); }));
  for (int round = 0; round < 1000; ++round) domain->wait();  // hangs when a sleeper counts as busy
  BOOST_TEST(all_sleep());
}

BOOST_AUTO_TEST_SUITE_END()
