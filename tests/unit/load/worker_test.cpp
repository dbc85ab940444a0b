#include "emu/load/worker.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

using namespace testbed;
using namespace testbed::load;

BOOST_AUTO_TEST_SUITE(worker)

BOOST_AUTO_TEST_CASE(work_has_run_on_the_worker_when_run_returns) {
  flow::FlowEngine engine([](std::string_view, nlohmann::json) {});
  Worker worker(engine, {});
  std::thread::id where;
  worker.run([&] { where = std::this_thread::get_id(); });
  BOOST_TEST((where != std::thread::id()));
  BOOST_TEST((where != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(many_threads_may_ask_at_once_and_all_are_served) {
  flow::FlowEngine engine([](std::string_view, nlohmann::json) {});
  Worker worker(engine, {});
  int sum = 0;  // only ever touched on the worker
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) worker.run([&] { ++sum; });
    });
  for (auto& thread : threads) thread.join();
  BOOST_TEST(sum == 400);
}

BOOST_AUTO_TEST_CASE(after_the_end_work_runs_where_it_was_asked_for) {
  flow::FlowEngine engine([](std::string_view, nlohmann::json) {});
  Worker worker(engine, {});
  worker.stop();
  std::thread::id where;
  worker.run([&] { where = std::this_thread::get_id(); });
  BOOST_TEST((where == std::this_thread::get_id()));
}

BOOST_AUTO_TEST_SUITE_END()
