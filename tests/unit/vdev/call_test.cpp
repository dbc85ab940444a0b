// Calls through descriptors whose owner does what it likes with them.
#include "vdev/gate/call.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <thread>

#include "core/base/fd.hpp"

using testbed::Fd;
using testbed::gate::call_driver;

namespace {

constexpr eventfd_t kFull = ~eventfd_t{0} - 1;

Fd blocking(eventfd_t count) {
  Fd fd(::eventfd(0, 0));
  const ssize_t written = count == 0 ? sizeof count : ::write(fd.get(), &count, sizeof count);
  BOOST_REQUIRE_EQUAL(written, static_cast<ssize_t>(sizeof count));
  return fd;
}

eventfd_t count_of(const Fd& fd) {
  eventfd_t count = 0;
  pollfd readable{fd.get(), POLLIN, 0};
  if (::poll(&readable, 1, 0) == 1) BOOST_REQUIRE_EQUAL(::eventfd_read(fd.get(), &count), 0);
  return count;
}

// A thread that waits is let go by emptying the counter, so that a failure ends too.
bool returns(const Fd& full, const std::function<void()>& call) {
  std::promise<void> done;
  auto future = done.get_future();
  std::thread thread([&] {
    call();
    done.set_value();
  });
  const bool in_time = future.wait_for(std::chrono::seconds(2)) == std::future_status::ready;
  if (!in_time) count_of(full);
  thread.join();
  return in_time;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(call)

BOOST_AUTO_TEST_CASE(every_call_adds_one) {
  const Fd fd = blocking(0);
  for (int i = 0; i < 1000; ++i) call_driver(fd.get());  // more than the request queue has slots
  BOOST_TEST(count_of(fd) == 1000u);
}

BOOST_AUTO_TEST_CASE(a_full_counter_holds_nobody_though_its_owner_made_it_blocking_again) {
  const Fd full = blocking(kFull);
  BOOST_TEST(returns(full, [&] { call_driver(full.get()); }));
  BOOST_TEST(returns(full, [&] { call_driver(full.get()); }));
}

BOOST_AUTO_TEST_CASE(what_the_library_calls_with_does_not_wait_either) {
  const Fd full = blocking(kFull);
  BOOST_TEST(returns(full, [&] { ::eventfd_write(full.get(), 1); }));
}

// What the others are compared with: this is how a call would wait.
BOOST_AUTO_TEST_CASE(a_plain_write_to_a_full_counter_waits) {
  const Fd full = blocking(kFull);
  const eventfd_t one = 1;
  ssize_t written = 0;
  BOOST_TEST(!returns(full, [&] { written = ::write(full.get(), &one, sizeof one); }));
  BOOST_TEST(written == ssize_t{sizeof one});
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_none_is_called_in_vain) {
  call_driver(-1);
}

BOOST_AUTO_TEST_SUITE_END()
