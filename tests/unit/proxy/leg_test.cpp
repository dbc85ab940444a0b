// How a leg finds its two peers, in every role and order, and keeps apart from other legs.
#include "tests/unit/proxy/peers.hpp"

using namespace peers;

namespace {

const auto kOwner = bytes_of(Request::SET_OWNER, kRequest, 0);

struct Roles : Loop {
  std::unique_ptr<Leg> make(Role front, Role back) {
    auto leg = std::make_unique<Leg>(
        io, events, watch, LegConfig{"l", {scratch.file("f"), front}, {scratch.file("b"), back}, {}});
    BOOST_REQUIRE(leg->open().has_value());
    return leg;
  }
  Fd dial(const std::string& name) {
    auto fd = connect_unix(scratch.file(name));
    BOOST_REQUIRE(fd.has_value());
    return std::move(*fd);
  }
  Fd listen(const std::string& name) { return std::move(*listen_unix(scratch.file(name))); }
  Fd accept(const Fd& listener) {
    Fd fd;
    until([&] {
      fd.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      return static_cast<bool>(fd);
    });
    return fd;
  }
  bool talk(const Fd& front, Peer& back) {
    BOOST_REQUIRE(transmit(front.get(), kOwner, {}) > 0);
    return until([&] {
      back.look();
      return back.bytes == kOwner;
    });
  }
  bool up() {
    return until([this] { return count("proxy.up") > 0; });
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(leg, Roles)

BOOST_AUTO_TEST_CASE(two_peers_that_connect_meet_in_either_order) {
  auto one = make(Role::server, Role::server);
  for (const bool front_first : {true, false}) {
    Fd front;
    if (front_first) front = dial("f");
    Peer back;
    back.fd = dial("b");
    if (!front_first) {
      settle();
      front = dial("f");
    }
    BOOST_TEST(talk(front, back));
    back.fd.reset();
    BOOST_REQUIRE(until([&] { return one->status()["state"] == "down"; }));
  }
}

BOOST_AUTO_TEST_CASE(two_peers_that_listen_are_connected_back_end_first) {
  auto one = make(Role::client, Role::client);
  const Fd front_listens = listen("f");
  settle();
  BOOST_TEST(::accept(front_listens.get(), nullptr, nullptr) == -1);
  const Fd back_listens = listen("b");
  Peer back;
  back.fd = accept(back_listens);
  const Fd front = accept(front_listens);
  BOOST_REQUIRE(up());
  BOOST_TEST(talk(front, back));
}

BOOST_AUTO_TEST_CASE(a_back_end_is_not_connected_to_before_a_front_end_is_there) {
  auto one = make(Role::server, Role::client);
  const Fd back_listens = listen("b");
  settle();
  BOOST_TEST(::accept(back_listens.get(), nullptr, nullptr) == -1);
  const Fd front = dial("f");
  Peer back;
  back.fd = accept(back_listens);
  BOOST_TEST(talk(front, back));
}

BOOST_AUTO_TEST_CASE(a_socket_that_appears_later_is_connected_to) {
  auto one = make(Role::server, Role::client);
  const Fd front = dial("f");
  BOOST_REQUIRE(until([&] { return one->status()["back"]["state"] == "connecting"; }));
  settle();
  const Fd back_listens = listen("b");
  Peer back;
  back.fd = accept(back_listens);
  BOOST_TEST(talk(front, back));
}

BOOST_AUTO_TEST_CASE(a_directory_that_appears_later_will_do) {
  Leg one(io, events, watch,
          LegConfig{"l", {scratch.file("f"), Role::server}, {scratch.file("later/b"), Role::client}, {}});
  BOOST_REQUIRE(one.open().has_value());
  const Fd front = dial("f");
  settle();
  std::filesystem::create_directory(scratch.file("later"));
  const Fd back_listens = listen("later/b");
  BOOST_TEST(static_cast<bool>(accept(back_listens)));
}

BOOST_AUTO_TEST_CASE(a_stale_socket_file_is_waited_out) {
  ::close(listen("b").release());
  auto one = make(Role::server, Role::client);
  const Fd front = dial("f");
  settle();
  const Fd back_listens = listen("b");
  BOOST_TEST(static_cast<bool>(accept(back_listens)));
}

BOOST_AUTO_TEST_CASE(a_front_end_that_gives_up_waiting_makes_room_for_the_next) {
  auto one = make(Role::server, Role::server);
  dial("f").reset();
  BOOST_REQUIRE(until([this] { return count("proxy.gave_up") == 1; }));
  const Fd front = dial("f");
  Peer back;
  back.fd = dial("b");
  BOOST_TEST(talk(front, back));
}

BOOST_AUTO_TEST_CASE(a_second_front_end_waits_until_the_first_has_gone) {
  auto one = make(Role::server, Role::server);
  Fd first = dial("f");
  Peer back;
  back.fd = dial("b");
  BOOST_REQUIRE(talk(first, back));
  const Fd second = dial("f");
  settle();
  BOOST_TEST(one->status()["sessions"] == 1);
  first.reset();
  Peer next;
  next.fd = dial("b");
  BOOST_TEST(talk(second, next));
}

BOOST_AUTO_TEST_CASE(a_peer_that_accepts_and_closes_at_once_does_not_make_the_leg_spin) {
  auto one = make(Role::client, Role::client);
  const Fd front_listens = listen("f"), back_listens = listen("b");
  const uint64_t start = now_ns();
  for (int i = 0; i < 5; ++i) accept(back_listens).reset();
  BOOST_TEST((now_ns() - start) >= 40'000'000);
}

BOOST_AUTO_TEST_CASE(a_path_that_is_served_is_refused_with_the_legs_name) {
  const Fd live = listen("f");
  Leg one(io, events, watch,
          LegConfig{"l", {scratch.file("f"), Role::server}, {scratch.file("b"), Role::server}, {}});
  const auto opened = one.open();
  BOOST_REQUIRE(!opened);
  BOOST_TEST((opened.error().code == Errc::busy));
  BOOST_TEST(opened.error().message.starts_with("l.front: "));
}

BOOST_AUTO_TEST_CASE(a_removed_leg_ends_its_session_and_takes_its_socket_along) {
  auto one = make(Role::server, Role::server);
  Fd front = dial("f");
  Peer back;
  back.fd = dial("b");
  BOOST_REQUIRE(talk(front, back));
  one.reset();
  back.look();
  BOOST_TEST(back.ended);
  BOOST_TEST(!std::filesystem::exists(scratch.file("f")));
}

BOOST_AUTO_TEST_CASE(disconnect_ends_the_session_and_the_endpoint_stays) {
  auto one = make(Role::server, Role::server);
  for (int i = 0; i < 2; ++i) {
    Fd front = dial("f");
    Peer back;
    back.fd = dial("b");
    BOOST_REQUIRE(talk(front, back));
    one->disconnect();
    back.look();
    BOOST_TEST(back.ended);
  }
  BOOST_TEST(one->status()["sessions"] == 2);
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_read_delays_no_other_leg) {
  auto stuck = make(Role::server, Role::server);
  Leg other(io, events, watch,
            LegConfig{"o", {scratch.file("of"), Role::server}, {scratch.file("ob"), Role::server}, {}});
  BOOST_REQUIRE(other.open().has_value());
  const Fd front = dial("f"), deaf = dial("b"), other_front = dial("of");
  Peer other_back;
  other_back.fd = dial("ob");
  const auto large = bytes_of(Request::SET_CONFIG, kRequest, 4000);
  BOOST_REQUIRE(until([&] {
    settle();
    return transmit(front.get(), large, {}) == -EAGAIN;
  }));
  // The loop has nothing to do but this leg's message: one poll is enough, and no timer is waited for.
  BOOST_REQUIRE(transmit(other_front.get(), kOwner, {}) > 0);
  settle();
  other_back.look();
  BOOST_TEST((other_back.bytes == kOwner));
}

BOOST_AUTO_TEST_SUITE_END()
