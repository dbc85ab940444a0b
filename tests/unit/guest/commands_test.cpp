#include "emu/guest/commands.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <optional>

using namespace testbed;
using namespace testbed::guest;
using namespace std::chrono_literals;

namespace {

struct Shell {
  // Runs until the outcome is there, 20 seconds at most.
  Result<Outcome> run(const std::string& command, std::chrono::milliseconds timeout = 10s) {
    std::optional<Result<Outcome>> outcome;
    commands.run(command, timeout, [&](Result<Outcome> result) {
      BOOST_TEST(!outcome.has_value());
      outcome = std::move(result);
    });
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!outcome && std::chrono::steady_clock::now() < deadline) io.run_one_for(100ms);
    BOOST_REQUIRE(outcome.has_value());
    return std::move(*outcome);
  }

  boost::asio::io_context io;
  Commands commands{io};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(commands, Shell)

BOOST_AUTO_TEST_CASE(both_streams_and_the_status_come_back) {
  const auto outcome = run("echo out; echo err >&2; exit 7");
  BOOST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->status == 7);
  BOOST_TEST(outcome->out == "out\n");
  BOOST_TEST(outcome->err == "err\n");
}

BOOST_AUTO_TEST_CASE(a_signal_is_told_as_a_shell_tells_it) {
  const auto outcome = run("kill -TERM $$");
  BOOST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->status == 128 + SIGTERM);
}

BOOST_AUTO_TEST_CASE(more_output_than_a_pipe_holds_comes_back_whole_and_more_than_the_limit_is_cut) {
  const auto large = run("head -c 500000 /dev/zero");
  BOOST_REQUIRE(large.has_value());
  BOOST_TEST(large->out.size() == 500'000);
  const auto endless = run("head -c 3000000 /dev/zero");
  BOOST_REQUIRE(endless.has_value());
  BOOST_TEST(endless->out.size() == Commands::kMaxOutput);
  BOOST_TEST(endless->status == 0);
}

BOOST_AUTO_TEST_CASE(a_command_that_takes_too_long_is_killed_with_all_it_started) {
  const auto outcome = run("sleep 1000 & echo $!; wait", 300ms);
  BOOST_REQUIRE(!outcome.has_value());
  BOOST_TEST((outcome.error().code == Errc::timeout));
  // Nothing of its process group is left to wait for but what the reaper takes.
  const auto after = run("ps -eo args= | grep -c '^[s]leep 1000$'");
  BOOST_REQUIRE(after.has_value());
  BOOST_TEST(after->out == "0\n");
}

BOOST_AUTO_TEST_CASE(what_is_left_in_the_background_delays_nobody) {
  const auto start = std::chrono::steady_clock::now();
  const auto outcome = run("sleep 30 & echo $!");
  BOOST_REQUIRE(outcome.has_value());
  BOOST_TEST((std::chrono::steady_clock::now() - start < 15s));
  ::kill(std::stoi(outcome->out), SIGKILL);
}

BOOST_AUTO_TEST_CASE(commands_run_beside_each_other) {
  int done = 0;
  for (int i = 0; i < 5; ++i)
    commands.run("read x < /dev/null; exit 0", 10s,
                 [&](Result<Outcome> outcome) { done += outcome.has_value(); });
  while (done < 5 && io.run_one_for(10s)) {
  }
  BOOST_TEST(done == 5);
}

BOOST_AUTO_TEST_CASE(no_child_is_left_unreaped) {
  BOOST_REQUIRE(run("exit 0").has_value());
  BOOST_TEST(::waitpid(-1, nullptr, WNOHANG) == -1);
  BOOST_TEST(errno == ECHILD);
}

BOOST_AUTO_TEST_SUITE_END()
