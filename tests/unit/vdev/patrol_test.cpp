#include "vdev/gate/patrol.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

using testbed::gate::Patrol;

namespace {

struct Walking {
  boost::asio::io_context io;
  Patrol& patrol = boost::asio::use_service<Patrol>(io);
  int first = 0, second = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(patrol)

BOOST_FIXTURE_TEST_CASE(everybody_is_looked_at_in_one_round_and_once_however_often_added, Walking) {
  patrol.add(&first, [&] { ++first; });
  patrol.add(&first, [&] { first += 100; });
  patrol.add(&second, [&] { ++second; });
  BOOST_TEST(io.run_one() == 1u);  // one timer
  BOOST_TEST(first == 1);
  BOOST_TEST(second == 1);
}

BOOST_FIXTURE_TEST_CASE(whoever_is_removed_is_not_looked_at_again_not_even_in_this_round, Walking) {
  patrol.add(&first, [&] { ++first, patrol.remove(&first), patrol.remove(&second); });
  patrol.add(&second, [&] { ++second, patrol.remove(&second), patrol.remove(&first); });
  io.run();  // ends: nobody is left, and no timer
  BOOST_TEST(first + second == 1);
}

BOOST_FIXTURE_TEST_CASE(rounds_go_on_and_begin_again_when_somebody_comes_back, Walking) {
  const auto thrice = [&] {
    if (++first % 3 == 0) patrol.remove(&first);
  };
  patrol.add(&first, thrice);
  io.run();
  BOOST_TEST(first == 3);
  io.restart();
  patrol.add(&first, thrice);
  io.run();
  BOOST_TEST(first == 6);
}

BOOST_AUTO_TEST_SUITE_END()
