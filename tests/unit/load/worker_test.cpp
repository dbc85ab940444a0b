#include "emu/load/worker.hpp"

#include <sys/eventfd.h>

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

namespace {

// A device that is never without a call: the worker must ask before each sleep and come back from it.
struct Ringing : Caller {
  Ringing() : fd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)), raw(fd.get()) {}
  bool ask_for_calls() override {
    ++asked;
    return true;
  }
  void refuse_calls() override { ++refused; }
  std::span<const int> call_fds() const override { return {&raw, 1}; }

  Fd fd;
  int raw;
  std::atomic<int> asked = 0, refused = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(an_idle_worker_asks_for_calls_and_refuses_them_after_each_sleep) {
  flow::FlowEngine engine([](std::string_view, nlohmann::json) {});
  Worker worker(engine, {});
  Ringing device;
  worker.run([&] { worker.heed(device); });
  while (device.refused < 100) worker.run([] {});
  int asked = 0, refused = 0;
  worker.run([&] {
    worker.forget(device);
    asked = device.asked;
    refused = device.refused;
  });
  BOOST_TEST(asked == refused);
  worker.run([] {});
  BOOST_TEST(device.asked == asked);
}

BOOST_AUTO_TEST_SUITE_END()
