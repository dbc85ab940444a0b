#include <boost/test/unit_test.hpp>

#include "core/base/event_log.hpp"

using testbed::EventLog;

BOOST_AUTO_TEST_SUITE(event_log)

BOOST_AUTO_TEST_CASE(events_are_numbered_from_one_and_stamped) {
  EventLog log;
  log.emit("a");
  log.emit("b", {{"port", "p0"}}, 42);
  const auto events = log.since(0);
  BOOST_REQUIRE_EQUAL(events.size(), 2);
  BOOST_TEST(events[0]["seq"] == 1);
  BOOST_TEST(events[0]["t"].get<uint64_t>() > 0);
  BOOST_TEST(events[1]["t"] == 42);
  BOOST_TEST(events[1]["port"] == "p0");
}

BOOST_AUTO_TEST_CASE(since_gives_exactly_what_is_not_known_yet) {
  EventLog log;
  for (int i = 0; i < 5; ++i) log.emit("e");
  BOOST_TEST(log.since(4).size() == 2);
  BOOST_TEST(log.since(6).empty());
  BOOST_TEST(log.since(100).empty());
}

BOOST_AUTO_TEST_CASE(the_buffer_is_bounded_and_keeps_the_newest) {
  EventLog log;
  for (size_t i = 0; i < EventLog::kCapacity + 10; ++i) log.emit("e");
  const auto events = log.since(1);
  BOOST_TEST(events.size() == EventLog::kCapacity);
  BOOST_TEST(events.front()["seq"] == 11);
  BOOST_TEST(log.since(EventLog::kCapacity + 10).size() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
