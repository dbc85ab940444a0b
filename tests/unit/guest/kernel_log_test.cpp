#include "emu/guest/kernel_log.hpp"

#include <boost/test/unit_test.hpp>

using namespace testbed::guest;

BOOST_AUTO_TEST_SUITE(kernel_log)

BOOST_AUTO_TEST_CASE(a_record_has_its_level_time_and_first_line) {
  const auto record =
      parse_kernel_record("3,815,1929331,-;virtio_net virtio1: wrong\n SUBSYSTEM=virtio\n DEVICE=+x\n");
  BOOST_REQUIRE(record.has_value());
  BOOST_TEST(record->level == 3);
  BOOST_TEST(record->t_ns == 1'929'331'000u);
  BOOST_TEST(record->text == "virtio_net virtio1: wrong");
}

BOOST_AUTO_TEST_CASE(fields_added_by_later_kernels_are_skipped) {
  const auto record = parse_kernel_record("6,1,2,-,caller=T1;text\n");
  BOOST_REQUIRE(record.has_value());
  BOOST_TEST(record->text == "text");
}

BOOST_AUTO_TEST_CASE(what_programs_wrote_is_not_of_the_kernel) {
  BOOST_TEST(!parse_kernel_record("11,5,100,-;a daemon's error\n"));  // facility 1, level 3
}

BOOST_AUTO_TEST_CASE(a_torn_or_strange_record_is_no_record) {
  for (const char* text : {"", "3", "3,", "3,1,2", "3,1,2,-", "x,1,2,-;t", "3,1,99999999999999999999999,-;t"})
    BOOST_TEST(!parse_kernel_record(text), text);
}

BOOST_AUTO_TEST_CASE(errors_are_told_by_level_and_traces_by_their_first_line) {
  const auto is_error = [](unsigned level, const char* text) { return is_kernel_error({level, 0, text}); };
  BOOST_TEST(is_error(3, "anything"));
  BOOST_TEST(is_error(4, "WARNING: CPU: 0 PID: 1 at net/core/dev.c:10"));
  BOOST_TEST(is_error(4, "BUG: unable to handle page fault"));
  BOOST_TEST(is_error(6, "rcu: INFO: rcu_sched detected stalls on CPUs/tasks"));
  BOOST_TEST(!is_error(4, "virtio_net virtio1 eth0: renamed"));
  BOOST_TEST(!is_error(6, "debugging"));
}

BOOST_AUTO_TEST_SUITE_END()
