#include "emu/load/access.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

using namespace testbed::load;

BOOST_AUTO_TEST_SUITE(access_to_rings)

BOOST_AUTO_TEST_CASE(a_falling_link_waits_until_the_worker_has_taken_what_arrived) {
  Access access;
  access.attach();
  access.follow(true);
  std::atomic<bool> fallen = false;
  std::thread interrupt([&] {
    access.follow(false);
    fallen = true;
  });
  while (!access.draining()) std::this_thread::yield();
  BOOST_TEST(!access.may_send());
  BOOST_TEST(access.may_receive());  // what is there is still taken
  BOOST_TEST(!fallen.load());
  access.drained();
  interrupt.join();
  BOOST_TEST(!access.may_receive());
}

BOOST_AUTO_TEST_CASE(a_port_nobody_polls_falls_at_once) {
  Access access;
  access.follow(true);
  access.follow(false);
  BOOST_TEST(!access.may_receive());
}

BOOST_AUTO_TEST_CASE(a_worker_that_leaves_lets_go) {
  Access access;
  access.attach();
  access.follow(true);
  std::thread interrupt([&] { access.follow(false); });
  while (!access.draining()) std::this_thread::yield();
  access.leave();
  interrupt.join();
  BOOST_TEST(!access.may_receive());
}

BOOST_AUTO_TEST_CASE(a_quiet_round_changes_nothing_while_the_link_is_up) {
  Access access;
  access.attach();
  access.follow(true);
  access.drained();
  BOOST_TEST(access.may_send());
  BOOST_TEST(access.may_receive());
}

BOOST_AUTO_TEST_SUITE_END()
