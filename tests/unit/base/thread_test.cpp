#include "core/base/thread.hpp"

#include <sched.h>

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace testbed;

BOOST_AUTO_TEST_SUITE(thread)

BOOST_AUTO_TEST_CASE(a_pinned_thread_runs_on_its_cpu_and_an_unknown_cpu_is_an_error_that_names_it) {
  const auto cpu = static_cast<unsigned>(::sched_getcpu());
  std::thread([cpu] {
    BOOST_TEST(pin_thread(pthread_self(), cpu).has_value());
    cpu_set_t now;
    BOOST_TEST(pthread_getaffinity_np(pthread_self(), sizeof now, &now) == 0);
    BOOST_TEST((CPU_COUNT(&now) == 1 && CPU_ISSET(cpu, &now)));
    for (const unsigned none : {CPU_SETSIZE - 1u, CPU_SETSIZE + 0u, ~0u}) {
      const auto pinned = pin_thread(pthread_self(), none);
      BOOST_TEST_REQUIRE(!pinned.has_value());
      BOOST_TEST(pinned.error().message.find("cpu " + std::to_string(none)) != std::string::npos);
    }
    BOOST_TEST((pthread_getaffinity_np(pthread_self(), sizeof now, &now) == 0 && CPU_ISSET(cpu, &now)));
  }).join();
}

BOOST_AUTO_TEST_SUITE_END()
