#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "core/base/unix_socket.hpp"
#include "tests/unit/base/scratch.hpp"

using namespace testbed;

namespace {

// Leaves a socket file that nobody serves, as a killed process does.
void leave_stale_socket(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  BOOST_REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(unix_socket)

BOOST_AUTO_TEST_CASE(a_socket_left_by_a_killed_process_is_taken_over) {
  Scratch scratch;
  leave_stale_socket(scratch.file("s"));
  BOOST_TEST(listen_unix(scratch.file("s")).has_value());
}

BOOST_AUTO_TEST_CASE(a_socket_that_is_served_is_left_alone) {
  Scratch scratch;
  auto live = listen_unix(scratch.file("s"));
  BOOST_REQUIRE(live.has_value());
  auto second = listen_unix(scratch.file("s"));
  BOOST_REQUIRE(!second);
  BOOST_TEST((second.error().code == Errc::busy));
  BOOST_TEST(connect_unix(scratch.file("s")).has_value());
}

BOOST_AUTO_TEST_CASE(a_served_socket_with_a_full_backlog_is_left_alone) {
  Scratch scratch;
  auto live = listen_unix(scratch.file("s"), 0);
  auto waiting = connect_unix(scratch.file("s"));
  BOOST_REQUIRE(waiting.has_value());
  auto second = listen_unix(scratch.file("s"));
  BOOST_REQUIRE(!second);
  BOOST_TEST((second.error().code == Errc::busy));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_socket_is_never_removed) {
  Scratch scratch;
  std::ofstream(scratch.file("s")) << "precious";
  auto fd = listen_unix(scratch.file("s"));
  BOOST_REQUIRE(!fd);
  BOOST_TEST((fd.error().code == Errc::already_exists));
  BOOST_TEST(std::filesystem::file_size(scratch.file("s")) == 8);
}

BOOST_AUTO_TEST_CASE(the_longest_path_works_and_one_byte_more_is_named) {
  Scratch scratch;
  std::string path = scratch.file("");
  path += std::string(kMaxSocketPath - path.size(), 'x');
  BOOST_TEST(listen_unix(path).has_value());
  auto longer = listen_unix(path + "x");
  BOOST_REQUIRE(!longer);
  BOOST_TEST(longer.error().message.find("108 bytes") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(connecting_tells_missing_from_not_listening) {
  Scratch scratch;
  BOOST_TEST((connect_unix(scratch.file("none")).error().code == Errc::not_found));
  leave_stale_socket(scratch.file("s"));
  BOOST_TEST((connect_unix(scratch.file("s")).error().code == Errc::refused));
}

BOOST_AUTO_TEST_SUITE_END()
