// Endpoints: who may have the socket, who gets a session, and how soon a client finds its peer.
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "core/base/unix_socket.hpp"
#include "gate_rig.hpp"

using namespace testbed;
using namespace testbed::test;
using gate::Role;
using wire::Request;

BOOST_AUTO_TEST_SUITE(endpoint)

BOOST_AUTO_TEST_CASE(a_second_connection_is_refused_and_the_first_goes_on) {
  GateRig rig;
  auto port = rig.open(Role::server, rig.scratch.file("p0"));
  BOOST_REQUIRE(port);
  Frontend first = Frontend::connect(rig.scratch.file("p0"));
  BOOST_REQUIRE(rig.until_event("session.connected"));
  Frontend second = Frontend::connect(rig.scratch.file("p0"));
  BOOST_TEST(second.closed(rig));
  BOOST_REQUIRE_EQUAL(rig.named("session.refused").size(), 1u);
  BOOST_TEST(rig.named("session.refused")[0]["reason"] == "busy");
  first.send(Request::GET_FEATURES);
  BOOST_TEST(first.receive(rig).has_value());
}

BOOST_AUTO_TEST_CASE(a_frontend_that_closes_and_connects_again_at_once_is_let_in_every_time) {
  GateRig rig;
  auto port = rig.open(Role::server, rig.scratch.file("p0"));
  BOOST_REQUIRE(port);
  for (size_t i = 1; i <= 50; ++i) {
    // The one before is closed by now, and nobody has looked.
    Frontend frontend = Frontend::connect(rig.scratch.file("p0"));
    BOOST_REQUIRE(rig.until([&] { return rig.named("session.connected").size() == i; }));
  }
  BOOST_TEST(rig.named("session.refused").empty());
}

BOOST_AUTO_TEST_CASE(a_socket_left_by_a_killed_predecessor_is_taken_over) {
  GateRig rig;
  const std::string path = rig.scratch.file("p0");
  {
    auto stale = listen_unix(path);
    BOOST_REQUIRE(stale);
  }  // closed, the file stays
  BOOST_REQUIRE(std::filesystem::exists(path));
  auto port = rig.open(Role::server, path);
  BOOST_REQUIRE(port);
  Frontend::connect(path);
  BOOST_TEST(rig.until_event("session.connected"));
}

BOOST_AUTO_TEST_CASE(a_socket_that_somebody_serves_is_left_alone) {
  GateRig rig;
  const std::string path = rig.scratch.file("p0");
  auto live = listen_unix(path);
  BOOST_REQUIRE(live);
  auto port = rig.open(Role::server, path);
  BOOST_REQUIRE(!port);
  BOOST_TEST((port.error().code == Errc::busy));
  BOOST_TEST(connect_unix(path).has_value());
}

BOOST_AUTO_TEST_CASE(a_path_too_long_is_named_as_such) {
  GateRig rig;
  const auto port = rig.open(Role::client, "/tmp/" + std::string(120, 'x'));
  BOOST_REQUIRE(!port);
  BOOST_TEST(port.error().message.find("too long") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_removed_server_takes_its_socket_file_with_it_but_nobody_elses) {
  GateRig rig;
  const std::string path = rig.scratch.file("p0");
  {
    auto port = rig.open(Role::server, path);
    BOOST_REQUIRE(port);
  }
  BOOST_TEST(!std::filesystem::exists(path));
  auto port = rig.open(Role::server, path);
  std::filesystem::remove(path);
  auto other = listen_unix(path);  // somebody has put another one there meanwhile
  port->reset();
  BOOST_TEST(std::filesystem::exists(path));
}

BOOST_AUTO_TEST_CASE(a_client_connects_when_the_socket_appears_without_having_been_asked_again) {
  GateRig rig;
  auto port = rig.open(Role::client, rig.scratch.file("p0"));
  BOOST_REQUIRE(port);
  rig.until([&] { return rig.io.poll() == 0; });
  auto listener = listen_unix(rig.scratch.file("p0"));
  BOOST_REQUIRE(listener);
  BOOST_TEST(rig.until_event("session.connected"));
}

BOOST_AUTO_TEST_CASE(a_client_follows_directories_that_do_not_exist_yet) {
  GateRig rig;
  const std::string path = rig.scratch.file("a/b/c/p0");
  auto port = rig.open(Role::client, path);
  BOOST_REQUIRE(port);
  for (const char* part : {"a", "a/b", "a/b/c"}) {
    rig.io.restart();
    rig.io.poll();
    std::filesystem::create_directory(rig.scratch.file(part));
  }
  auto listener = listen_unix(path);
  BOOST_REQUIRE(listener);
  BOOST_TEST(rig.until_event("session.connected"));
}

BOOST_AUTO_TEST_CASE(a_client_waits_for_a_stale_socket_to_be_served) {
  GateRig rig;
  const std::string path = rig.scratch.file("p0");
  {
    auto stale = listen_unix(path);
    BOOST_REQUIRE(stale);
  }
  auto port = rig.open(Role::client, path);
  rig.until([&] { return !(*port)->last_error().empty(); });
  BOOST_TEST((*port)->last_error().find("nobody listens") != std::string::npos);
  auto listener = listen_unix(path);
  BOOST_REQUIRE(listener);
  BOOST_TEST(rig.until_event("session.connected"));
}

BOOST_AUTO_TEST_CASE(a_client_comes_back_after_its_peer_went_away) {
  GateRig rig;
  auto listener = listen_unix(rig.scratch.file("p0"));
  auto port = rig.open(Role::client, rig.scratch.file("p0"));
  for (size_t round = 1; round <= 3; ++round) {
    BOOST_REQUIRE(rig.until_event("session.connected", round));
    Fd peer(::accept(listener->get(), nullptr, nullptr));
    peer.reset();
    BOOST_REQUIRE(rig.until_event("session.down", round));
  }
  BOOST_TEST(rig.host.over == 3);
}

BOOST_AUTO_TEST_CASE(a_thousand_sessions_with_descriptors_leak_none) {
  GateRig rig;
  auto port = rig.open(Role::server, rig.scratch.file("p0"));
  size_t before = 0, after = 0;
  for (size_t round = 1; round <= 1000; ++round) {
    Frontend frontend = Frontend::connect(rig.scratch.file("p0"));
    Fd kick(::eventfd(0, 0));
    frontend.send(Request::SET_VRING_CALL, uint64_t{0}, 0, {kick.get()});
    frontend.send(Request::SET_VRING_ERR, uint64_t{0}, wire::kFlagNeedReply, {kick.get()});
    BOOST_REQUIRE(frontend.receive(rig).has_value());
    // Every third one leaves in the middle of a message that carries a descriptor.
    const wire::VhostUserHeader half{static_cast<uint32_t>(Request::SET_VRING_ERR), wire::kFlagVersion, 8};
    if (round % 3 == 0) frontend.send_bytes(&half, sizeof half, {kick.get()});
    frontend.close();
    BOOST_REQUIRE(rig.until([&] { return (*port)->session() == nullptr; }));
    if (round == 10) before = open_descriptors();
    after = open_descriptors();
  }
  BOOST_TEST(rig.host.log.fds == 2000u);
  BOOST_TEST(after == before);
}

BOOST_AUTO_TEST_SUITE_END()
