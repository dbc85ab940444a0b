// What passes through a leg without faults: everything, exactly, and nothing stays behind.
#include "tests/unit/proxy/peers.hpp"

using namespace peers;

BOOST_FIXTURE_TEST_SUITE(relay, Connected)

BOOST_AUTO_TEST_CASE(bytes_and_descriptors_arrive_as_they_were_sent) {
  connect();
  const auto request = bytes_of(Request::SET_MEM_TABLE, kRequest, 264);
  const auto files = memory_files(8);
  front.send(request, files);
  BOOST_REQUIRE(gets(back, request.size()));
  BOOST_TEST((back.bytes == request));
  BOOST_TEST((inodes_of(back.fds) == inodes_of(files)));
  const auto reply = bytes_of(Request::SET_MEM_TABLE, kReply, 8, 0);
  back.send(reply);
  BOOST_REQUIRE(gets(front, reply.size()));
  BOOST_TEST((front.bytes == reply));
}

BOOST_AUTO_TEST_CASE(as_many_descriptors_as_the_kernel_lets_a_message_carry) {
  connect();
  const auto files = memory_files(kMaxDescriptors);
  front.send(bytes_of(Request::SET_MEM_TABLE, kRequest, 264), files);
  BOOST_REQUIRE(gets(back, 276));
  BOOST_TEST((inodes_of(back.fds) == inodes_of(files)));
}

BOOST_AUTO_TEST_CASE(descriptors_stay_with_their_own_message_when_many_are_sent_at_once) {
  connect();
  const auto plain = bytes_of(Request::SET_VRING_NUM, kRequest, 8);
  const auto with = bytes_of(Request::SET_VRING_KICK, kRequest, 8);
  for (int i = 0; i < 4; ++i) {
    front.send(plain);
    front.send(with, memory_files(1));
  }
  BOOST_REQUIRE(gets(back, 8 * plain.size()));
  const auto messages = leg.timeline();
  for (size_t i = 0; i < 8; ++i) BOOST_TEST(messages[i]["fds"] == i % 2);
}

BOOST_AUTO_TEST_CASE(descriptors_stay_at_the_byte_they_were_attached_to) {
  connect();
  back.at_once = kHeaderSize;
  const auto message = bytes_of(Request::SET_LOG_BASE, kRequest, 16);
  front.send({message.begin(), message.begin() + 12});
  settle();
  front.send({message.begin() + 12, message.end()}, memory_files(1));
  BOOST_REQUIRE(gets(back, message.size()));
  BOOST_TEST(back.fds.size() == 1);
  BOOST_TEST((back.fds_at == std::vector<size_t>{12}));
}

BOOST_AUTO_TEST_CASE(a_message_in_pieces_is_passed_on_when_it_is_whole) {
  connect();
  const auto message = bytes_of(Request::SET_FEATURES, kRequest, 8);
  front.send({message.begin(), message.begin() + 5});
  BOOST_TEST(quiet(back, 0));
  front.send({message.begin() + 5, message.end()});
  BOOST_REQUIRE(gets(back, message.size()));
  BOOST_TEST((back.bytes == message));
}

BOOST_AUTO_TEST_CASE(what_came_of_a_message_is_passed_on_before_its_senders_close) {
  connect();
  const auto message = bytes_of(Request::SET_FEATURES, kRequest, 8);
  front.send({message.begin(), message.begin() + 15});
  front.fd.reset();
  BOOST_REQUIRE(ends(back));
  BOOST_TEST(back.bytes.size() == 15);
}

BOOST_AUTO_TEST_CASE(a_message_too_large_to_hold_is_passed_on_as_it_comes) {
  connect();
  const auto message = bytes_of(Request::SET_CONFIG, kRequest, 5 * MessageReader::kMaxHeld / 2);
  const auto next = bytes_of(Request::SET_OWNER, kRequest, 0);
  size_t sent = 0;
  BOOST_REQUIRE(until([&] {
    const auto rest = std::span(message).subspan(sent);
    if (!rest.empty()) sent += static_cast<size_t>(std::max<ssize_t>(0, transmit(front.fd.get(), rest, {})));
    back.look();
    return back.bytes.size() == message.size();
  }));
  BOOST_TEST((back.bytes == message));
  front.send(next);
  BOOST_REQUIRE(gets(back, message.size() + next.size()));
  BOOST_TEST(leg.timeline().size() == 2);
}

BOOST_AUTO_TEST_CASE(the_timeline_names_every_message_and_what_it_answers) {
  connect();
  front.send(bytes_of(Request::SET_OWNER, kRequest, 0));
  front.send(bytes_of(Request::GET_FEATURES, kRequest, 0));
  BOOST_REQUIRE(gets(back, 24));
  back.send(bytes_of(Request::GET_FEATURES, kReply, 8));
  BOOST_REQUIRE(gets(front, 20));
  const json messages = leg.timeline();
  BOOST_REQUIRE(messages.size() == 3);
  BOOST_TEST(messages[0]["name"] == "SET_OWNER");
  BOOST_TEST(messages[2]["name"] == "GET_FEATURES");
  BOOST_TEST(messages[2]["dir"] == "backend");
  BOOST_TEST(messages[2]["n"] == 3);
  BOOST_TEST(messages[2]["reply_to"] == 2);
  BOOST_TEST(messages[2]["size"] == 8);
  const json event = last("proxy.message");
  BOOST_TEST(event["message"] == "GET_FEATURES");
  BOOST_TEST(event["t"] == messages[2]["t"]);
}

BOOST_AUTO_TEST_CASE(one_peer_closing_ends_the_session_after_its_last_message) {
  connect();
  const auto message = bytes_of(Request::SET_OWNER, kRequest, 0);
  front.send(message);
  front.fd.reset();
  BOOST_REQUIRE(ends(back));
  BOOST_TEST((back.bytes == message));
  BOOST_TEST(last("proxy.down")["reason"] == "front closed");
  connect();
  back.send(message);
  back.fd.reset();
  BOOST_REQUIRE(ends(front));
  BOOST_TEST((front.bytes == message));
  BOOST_TEST(last("proxy.down")["reason"] == "back closed");
}

BOOST_AUTO_TEST_CASE(a_half_closed_peer_still_gets_its_answer) {
  connect();
  front.send(bytes_of(Request::GET_FEATURES, kRequest, 0));
  ::shutdown(front.fd.get(), SHUT_WR);
  BOOST_REQUIRE(ends(back));  // it is told that nothing more comes
  const auto reply = bytes_of(Request::GET_FEATURES, kReply, 8);
  back.send(reply);
  BOOST_REQUIRE(gets(front, reply.size()));
  BOOST_TEST((front.bytes == reply));
  BOOST_TEST(!front.ended);
  back.fd.reset();
  BOOST_REQUIRE(ends(front));
}

BOOST_AUTO_TEST_CASE(a_half_closed_peer_that_then_dies_ends_the_session) {
  connect();
  ::shutdown(front.fd.get(), SHUT_WR);
  BOOST_REQUIRE(ends(back));
  BOOST_TEST(count("proxy.down") == 0);
  front.fd.reset();
  BOOST_TEST(until([this] { return count("proxy.down") == 1; }));
}

BOOST_AUTO_TEST_CASE(a_peer_that_stops_listening_is_felt_by_the_one_that_writes) {
  connect();
  ::shutdown(back.fd.get(), SHUT_RD);
  front.send(bytes_of(Request::SET_OWNER, kRequest, 0));
  BOOST_TEST(until([this] {
    const auto message = bytes_of(Request::SET_OWNER, kRequest, 0);
    return transmit(front.fd.get(), message, {}) == -EPIPE;
  }));
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_read_stops_its_partner_and_loses_nothing) {
  connect();
  const auto message = bytes_of(Request::SET_CONFIG, kRequest, 3000);
  size_t sent = 0;
  BOOST_REQUIRE(until([&] {  // until nothing more fits anywhere on the way
    settle();
    const ssize_t n = transmit(front.fd.get(), message, {});
    BOOST_REQUIRE(n == static_cast<ssize_t>(message.size()) || n == -EAGAIN);
    if (n > 0) ++sent;
    return n < 0;
  }));
  BOOST_REQUIRE(gets(back, sent * message.size()));
  BOOST_TEST(back.bytes.size() == sent * message.size());
  BOOST_TEST(leg.timeline().back()["n"] == sent);
}

BOOST_AUTO_TEST_CASE(a_thousand_sessions_with_descriptors_leave_no_descriptor_behind) {
  connect();
  settle();
  size_t before = 0;
  for (int i = 0; i < 1000; ++i) {
    front.fd.reset();
    back.fd.reset();
    BOOST_REQUIRE(until([&] { return leg.status()["state"] == "down"; }));
    settle();
    if (i == 0) before = open_descriptors();
    connect();
    front.send(bytes_of(Request::SET_MEM_TABLE, kRequest, 264), memory_files(8));
    if (i % 3 == 0) front.fd.reset();                // some die before their message was seen
    if (i % 3 == 1) BOOST_REQUIRE(gets(back, 276));  // some are read, some never are
  }
  front = Peer{};
  back = Peer{};
  BOOST_REQUIRE(until([&] { return leg.status()["state"] == "down"; }));
  settle();
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_SUITE_END()
