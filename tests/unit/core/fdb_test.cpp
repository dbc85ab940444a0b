#include "core/bricks/fdb.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>

#include "tests/unit/core/frames.hpp"

using namespace testbed;
using Outcome = Fdb::Outcome;

namespace {

constexpr uint64_t kKey = 0x9e37'79b9'7f4a'7c15;

struct Table {
  Fdb fdb{1024, kKey};
  Outcome learn(Mac mac, Member member, uint32_t now_s = 0) { return fdb.learn(mac, member, now_s).outcome; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fdb)

BOOST_FIXTURE_TEST_CASE(what_was_learnt_is_found_and_what_was_not_is_unknown, Table) {
  BOOST_TEST((learn(station(1), 3) == Outcome::added));
  BOOST_TEST((learn(station(1), 3) == Outcome::known));
  BOOST_TEST(fdb.lookup(station(1)) == 3);
  BOOST_TEST(fdb.lookup(station(2)) == kNoMember);
}

BOOST_FIXTURE_TEST_CASE(the_zero_address_is_unknown_in_an_empty_table, Table) {
  BOOST_TEST(fdb.lookup(0) == kNoMember);
}

BOOST_FIXTURE_TEST_CASE(a_station_that_moves_is_found_at_its_new_member_only, Table) {
  learn(station(1), 3);
  const auto moved = fdb.learn(station(1), 5, 0);
  BOOST_TEST((moved.outcome == Outcome::moved));
  BOOST_TEST(moved.before == 3);
  BOOST_TEST(fdb.lookup(station(1)) == 5);
  BOOST_TEST(fdb.entries().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(only_what_was_silent_for_longer_than_the_age_is_forgotten, Table) {
  learn(station(1), 1, 0);
  learn(station(2), 1, 0);
  learn(station(2), 1, 8);  // refreshed
  BOOST_TEST(fdb.age(10, 10) == 0u);
  BOOST_TEST(fdb.age(11, 10) == 1u);
  BOOST_TEST(fdb.lookup(station(1)) == kNoMember);
  BOOST_TEST(fdb.lookup(station(2)) == 1);
}

BOOST_FIXTURE_TEST_CASE(a_worker_whose_clock_is_ahead_ages_nothing, Table) {
  learn(station(1), 1, 12);
  BOOST_TEST(fdb.age(11, 10) == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_static_entry_wins_over_what_is_learnt_and_does_not_age, Table) {
  learn(station(1), 1);
  BOOST_TEST(fdb.add_static(station(1), 7).has_value());
  BOOST_TEST((learn(station(1), 2) == Outcome::known));
  BOOST_TEST(fdb.age(1'000'000, 10) == 0u);
  BOOST_TEST(fdb.lookup(station(1)) == 7);
  BOOST_TEST(fdb.entries().size() == 1u);
  fdb.remove_static(station(1));
  BOOST_TEST(fdb.lookup(station(1)) == kNoMember);
}

BOOST_AUTO_TEST_CASE(a_full_table_evicts_the_entry_that_was_silent_for_longest) {
  Fdb fdb(16, kKey);  // two buckets: every address may stand anywhere
  for (uint16_t n = 1; n <= 16; ++n) BOOST_TEST((fdb.learn(station(n), 1, n).outcome == Outcome::added));
  BOOST_TEST((fdb.learn(station(99), 2, 20).outcome == Outcome::evicted));
  BOOST_TEST(fdb.lookup(station(1)) == kNoMember);
  for (uint16_t n = 2; n <= 16; ++n) BOOST_TEST(fdb.lookup(station(n)) == 1);
  BOOST_TEST(fdb.lookup(station(99)) == 2);
}

BOOST_AUTO_TEST_CASE(a_table_full_of_static_entries_learns_nothing_and_says_so) {
  Fdb fdb(16, kKey);
  for (uint16_t n = 1; n <= 16; ++n) BOOST_TEST(fdb.add_static(station(n), 1).has_value());
  BOOST_TEST((fdb.learn(station(99), 2, 0).outcome == Outcome::refused));
  const auto more = fdb.add_static(station(100), 1);
  BOOST_REQUIRE(!more);
  BOOST_TEST((more.error().code == Errc::exhausted));
}

BOOST_FIXTURE_TEST_CASE(flushing_a_member_forgets_its_entries_and_no_others, Table) {
  for (uint16_t n = 1; n <= 100; ++n) learn(station(n), n % 2 ? 1 : 2);
  BOOST_TEST(fdb.add_static(station(200), 1).has_value());
  fdb.flush(1);
  for (const auto& entry : fdb.entries()) BOOST_TEST(entry.member == 2);
  BOOST_TEST(fdb.entries().size() == 50u);
}

BOOST_AUTO_TEST_CASE(as_many_stations_as_three_quarters_of_the_capacity_are_all_kept) {
  Fdb fdb(16384, kKey);
  size_t evicted = 0;
  for (uint16_t n = 1; n <= 12288; ++n) evicted += fdb.learn(station(n), 1, 0).outcome == Outcome::evicted;
  BOOST_TEST(evicted == 0u);
  for (uint16_t n = 1; n <= 12288; ++n) BOOST_REQUIRE(fdb.lookup(station(n)) == 1);
}

BOOST_AUTO_TEST_CASE(workers_that_learn_the_same_stations_at_once_leave_one_entry_for_each) {
  for (int round = 0; round < 50; ++round) {
    Fdb fdb(1024, kKey + static_cast<uint64_t>(round) * 2);
    std::atomic<int> ready = 0;
    const auto learner = [&](Member member) {
      ++ready;
      while (ready < 2) {
      }
      for (uint16_t n = 1; n <= 200; ++n) fdb.learn(station(n), member, 0);
    };
    std::thread one(learner, Member{1}), two(learner, Member{2});
    one.join();
    two.join();
    std::set<Mac> seen;
    for (const auto& entry : fdb.entries()) BOOST_REQUIRE(seen.insert(entry.mac).second);
    BOOST_TEST(seen.size() == 200u);
  }
}

BOOST_AUTO_TEST_CASE(addresses_are_read_and_written_as_people_write_them) {
  BOOST_TEST(to_string_mac(parse_mac("02:00:00:00:01:ff").value()) == "02:00:00:00:01:ff");
  BOOST_TEST(parse_mac("02:00:00:00:01:ff").value() == station(0x1ff));
  for (const char* wrong :
       {"", "02:00", "02:00:00:00:00:zz", "02:00:00:00:00:01:", "2:0:0:0:0:1", " 2: 0: 0: 0: 0: 1"})
    BOOST_TEST(!parse_mac(wrong).has_value(), wrong);
}

BOOST_AUTO_TEST_SUITE_END()
