#include "emu/guest/channel.hpp"

#include <sys/socket.h>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace testbed;
using namespace testbed::guest;
using namespace std::chrono_literals;

namespace {

// A socketpair stands for the virtio-console port; `served` collects what the server is given.
struct Port {
  Port() {
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    host.reset(ends[0]);
    channel.emplace(io, Fd(ends[1]), [this](Channel::Socket socket) { served.push_back(std::move(socket)); });
    channel->start();
  }
  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < deadline) io.run_one_for(10ms);
    BOOST_REQUIRE(done());
  }
  std::string from_guest(size_t size) {
    std::string text;
    run_until([&] {
      char bytes[65536];
      for (ssize_t got; (got = ::recv(host.get(), bytes, sizeof bytes, 0)) > 0;)
        text.append(bytes, static_cast<size_t>(got));
      return text.size() >= size;
    });
    return text;
  }

  boost::asio::io_context io;
  Fd host;
  std::vector<Channel::Socket> served;
  std::optional<Channel> channel;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(channel, Port)

BOOST_AUTO_TEST_CASE(half_a_line_of_an_earlier_kernel_is_ended_first) {
  BOOST_TEST(from_guest(1) == "\n");
}

BOOST_AUTO_TEST_CASE(lines_pass_both_ways) {
  BOOST_REQUIRE_EQUAL(served.size(), 1);
  BOOST_REQUIRE(::send(host.get(), "ask\n", 4, 0) == 4);
  std::string got(4, ' ');
  bool arrived = false;
  boost::asio::async_read(served[0], boost::asio::buffer(got), [&](auto error, size_t) { arrived = !error; });
  run_until([&] { return arrived; });
  BOOST_TEST(got == "ask\n");
  boost::asio::write(served[0], boost::asio::buffer("answer\n", 7));
  BOOST_TEST(from_guest(8) == "\nanswer\n");
}

BOOST_AUTO_TEST_CASE(more_than_either_buffer_passes_whole_and_in_order) {
  std::string text;
  for (int i = 0; text.size() < 1'000'000; ++i) text += std::to_string(i) + "\n";
  bool written = false;
  boost::asio::async_write(served[0], boost::asio::buffer(text),
                           [&](auto error, size_t) { written = !error; });
  BOOST_TEST((from_guest(text.size() + 1) == "\n" + text));
  BOOST_TEST(written);
}

BOOST_AUTO_TEST_CASE(a_server_that_drops_the_connection_gets_another) {
  served[0].close();
  run_until([&] { return served.size() == 2; });
  boost::asio::write(served[1], boost::asio::buffer("again\n", 6));
  BOOST_TEST(from_guest(7) == "\nagain\n");
}

BOOST_AUTO_TEST_CASE(a_host_that_hangs_up_ends_it_quietly) {
  host.reset();
  io.run_for(50ms);
  BOOST_TEST(served.size() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
