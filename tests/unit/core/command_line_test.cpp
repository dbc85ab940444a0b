// The command line: what is wrong is said in one line before anything is started.
#include "core/app/command_line.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "tests/unit/base/scratch.hpp"

using namespace testbed;

namespace {

struct Shell {
  Result<Launch> read(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "testbed-switch");
    if (std::ranges::find(arguments, "--dir") == arguments.end())
      arguments.insert(arguments.end(), {"--dir", scratch.path});
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    return read_command_line(static_cast<int>(argv.size()), argv.data());
  }
  std::string complaint(std::vector<std::string> arguments) {
    const auto launch = read(std::move(arguments));
    return launch ? "" : launch.error().message;
  }
  std::string config(const std::string& text) {
    std::ofstream(scratch.file("config.json")) << text;
    return scratch.file("config.json");
  }
  Scratch scratch;
};

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos && text.find('\n') == std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_FIXTURE_TEST_CASE(the_command_line_wins_over_the_configuration, Shell) {
  const auto launch = read({"--config", config(R"({"workers": 2, "memory_mb": 100})"), "--workers", "3"});
  BOOST_REQUIRE(launch.has_value());
  BOOST_TEST(launch->settings.start.workers == 3);
  BOOST_TEST(launch->settings.start.memory_mb == 100u);
  BOOST_TEST(launch->control == scratch.path + "/switch.sock");
}

BOOST_FIXTURE_TEST_CASE(a_directory_that_does_not_exist_is_made, Shell) {
  const auto launch = read({"--dir", scratch.file("a/b")});
  BOOST_REQUIRE(launch.has_value());
  BOOST_TEST(launch->settings.directory == scratch.file("a/b"));
}

BOOST_FIXTURE_TEST_CASE(mistakes_are_one_line_each, Shell) {
  BOOST_TEST(says(complaint({"--bogus"}), "--bogus"));
  BOOST_TEST(says(complaint({"--config", "/nowhere.json"}), "/nowhere.json"));
  BOOST_TEST(says(complaint({"--config", scratch.path}), "cannot read"));
  BOOST_TEST(says(complaint({"--config", config("{\n\"a\": }")}), "line 2"));
  BOOST_TEST(says(complaint({"--config", config(R"({"memory_mb": "much"})")}), "memory_mb"));
  BOOST_TEST(says(complaint({"--workers", "0"}), "from 1 to 64"));
  BOOST_TEST(says(complaint({"--dir", config("") + "/under-a-file"}), "--dir"));
  BOOST_TEST(says(complaint({"--dir", "/proc"}), "cannot write"));
}

BOOST_AUTO_TEST_SUITE_END()
