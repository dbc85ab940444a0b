// Each fault does what it says, once, and nothing else.
#include "tests/unit/proxy/peers.hpp"

using namespace peers;

namespace {

const auto kOwner = bytes_of(Request::SET_OWNER, kRequest, 0);
const auto kGet = bytes_of(Request::GET_FEATURES, kRequest, 0);
const auto kFeatures = bytes_of(Request::GET_FEATURES, kReply, 8);

struct Faults : Connected {
  // SET_OWNER, GET_FEATURES and its reply: messages 1, 2 and 3. True when both peers got it all.
  bool handshake() {
    const size_t to_back = back.bytes.size() + 24, to_front = front.bytes.size() + 20;
    front.send(kOwner);
    front.send(kGet);
    if (!gets(back, to_back)) return false;
    back.send(kFeatures);
    return gets(front, to_front);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fault, Faults)

BOOST_AUTO_TEST_CASE(cut_closes_both_sides_after_the_message_got_through_and_the_next_session_lives) {
  arm({{"kind", "cut"}, {"after_message", 2}});
  connect();
  front.send(kOwner);
  front.send(kGet);
  BOOST_REQUIRE(ends(back));
  BOOST_REQUIRE(ends(front));
  BOOST_TEST(back.bytes.size() == 24);
  BOOST_TEST(last("proxy.down")["reason"] == "cut");
  BOOST_TEST(last("proxy.fault")["n"] == 2);
  BOOST_TEST(fault()["state"] == "spent");
  connect();
  BOOST_TEST(handshake());
}

BOOST_AUTO_TEST_CASE(cut_before_a_message_keeps_it_and_its_descriptors) {
  arm({{"kind", "cut"}, {"before_message", "SET_LOG_FD"}});
  connect();
  BOOST_REQUIRE(handshake());
  front.send(bytes_of(Request::SET_LOG_FD, kRequest, 0), memory_files(1));
  BOOST_REQUIRE(ends(back));
  BOOST_TEST(back.bytes.size() == 24);
  BOOST_TEST(back.fds.empty());
}

BOOST_AUTO_TEST_CASE(cut_after_a_reply_lets_the_reply_through) {
  arm({{"kind", "cut"}, {"after_message", 1}, {"dir", "backend"}});
  connect();
  BOOST_REQUIRE(handshake());
  BOOST_REQUIRE(ends(front));
  BOOST_TEST(front.bytes.size() == 20);
  BOOST_TEST(last("proxy.fault")["n"] == 3);
}

BOOST_AUTO_TEST_CASE(times_says_in_how_many_sessions_a_fault_fires) {
  arm({{"kind", "cut"}, {"after_message", 1}, {"times", 2}});
  for (int i = 0; i < 2; ++i) {
    connect();
    front.send(kOwner);
    BOOST_REQUIRE(ends(front));
  }
  connect();
  BOOST_TEST(handshake());
  BOOST_TEST(fault()["sessions"] == 2);
  BOOST_TEST(count("proxy.fault") == 2);
}

BOOST_AUTO_TEST_CASE(a_message_number_that_has_passed_means_the_next_session) {
  connect();
  BOOST_REQUIRE(handshake());
  arm({{"kind", "cut"}, {"after_message", 2}});
  front.send(kOwner);
  BOOST_REQUIRE(gets(back, 36));
  BOOST_TEST(quiet(back, 36));
  front.fd.reset();
  BOOST_REQUIRE(ends(back));
  connect();
  front.send(kOwner);
  front.send(kGet);
  BOOST_TEST(ends(back));
}

BOOST_AUTO_TEST_CASE(a_fault_that_never_fired_is_told) {
  arm({{"kind", "cut"}, {"after_message", "SET_LOG_BASE"}});
  connect();
  BOOST_REQUIRE(handshake());
  BOOST_TEST(fault()["state"] == "armed");
  BOOST_TEST(fault()["fired"] == 0);
  BOOST_TEST(count("proxy.fault") == 0);
}

BOOST_AUTO_TEST_CASE(hold_forwards_so_many_bytes_with_their_descriptors_and_the_rest_when_healed) {
  const uint64_t id = arm({{"kind", "hold"}, {"message", "SET_VRING_KICK"}, {"bytes", 7}});
  connect();
  const auto kick = bytes_of(Request::SET_VRING_KICK, kRequest, 8);
  front.send(kick, memory_files(1));
  front.send(kOwner);
  BOOST_REQUIRE(gets(back, 7));
  BOOST_TEST(quiet(back, 7));
  BOOST_TEST(back.fds.size() == 1);
  back.send(kFeatures);  // the other direction is not held
  BOOST_REQUIRE(gets(front, 20));
  BOOST_REQUIRE(leg.heal(id).has_value());
  BOOST_REQUIRE(gets(back, kick.size() + kOwner.size()));
  BOOST_TEST((std::vector(back.bytes.begin(), back.bytes.begin() + 20) == kick));
  BOOST_TEST(back.fds.size() == 1);
  BOOST_TEST(fault()["state"] == "healed");
  BOOST_TEST(last("proxy.healed")["by"] == "request");
}

BOOST_AUTO_TEST_CASE(hold_of_no_byte_keeps_the_descriptors_too_and_heals_by_itself_in_time) {
  arm({{"kind", "hold"}, {"message", 1}, {"bytes", 0}, {"for_ms", 30}});
  connect();
  const auto kick = bytes_of(Request::SET_VRING_KICK, kRequest, 8);
  front.send(kick, memory_files(1));
  BOOST_REQUIRE(until([this] { return count("proxy.fault") == 1; }));
  back.look();
  BOOST_TEST(back.fds.empty());
  BOOST_REQUIRE(gets(back, kick.size()));
  BOOST_TEST(back.fds.size() == 1);
  BOOST_TEST(last("proxy.healed")["by"] == "time");
  BOOST_TEST((last("proxy.healed")["t"].get<uint64_t>() - last("proxy.fault")["t"].get<uint64_t>()) >=
             30'000'000);
}

BOOST_AUTO_TEST_CASE(a_fault_for_a_time_is_over_then_although_no_message_passes) {
  arm({{"kind", "slow"}, {"bytes_per_s", 100'000}, {"for_ms", 20}});
  connect();
  BOOST_REQUIRE(handshake());
  BOOST_REQUIRE(until([this] { return count("proxy.healed") == 1; }));
  BOOST_TEST(last("proxy.healed")["by"] == "time");
  BOOST_TEST(handshake());
}

BOOST_AUTO_TEST_CASE(a_sender_that_gives_up_on_a_held_message_ends_the_session) {
  arm({{"kind", "hold"}, {"message", 1}});
  connect();
  front.send(kOwner);
  BOOST_REQUIRE(gets(back, 6));  // half of it
  front.fd.reset();
  BOOST_REQUIRE(ends(back));
  BOOST_TEST(back.bytes.size() == 6);
  BOOST_TEST(last("proxy.healed")["by"] == "session");
}

BOOST_AUTO_TEST_CASE(delay_moves_one_message_and_keeps_the_order) {
  arm({{"kind", "delay"}, {"message", "GET_FEATURES"}, {"dir", "frontend"}, {"ms", 40}});
  connect();
  front.send(kOwner);
  BOOST_REQUIRE(gets(back, 12));
  front.send(kGet);
  front.send(kOwner);
  BOOST_REQUIRE(until([this] { return count("proxy.fault") == 1; }));
  BOOST_REQUIRE(gets(back, 36));
  BOOST_TEST((std::vector(back.bytes.begin() + 12, back.bytes.begin() + 24) == kGet));
  BOOST_TEST((now_ns() - leg.timeline()[1]["t"].get<uint64_t>()) >= 40'000'000);
  BOOST_TEST(fault()["fired"] == 1);
}

BOOST_AUTO_TEST_CASE(delay_without_a_message_delays_all_of_one_direction_until_it_is_healed) {
  arm({{"kind", "delay"}, {"dir", "backend"}, {"ms", 3'600'000}});
  connect();
  front.send(kGet);
  BOOST_REQUIRE(gets(back, 12));
  back.send(kFeatures);
  back.send(kFeatures);
  BOOST_REQUIRE(until([this] { return fault()["fired"] == 2; }));
  BOOST_TEST(quiet(front, 0));
  BOOST_TEST(count("proxy.fault") == 1);
  BOOST_REQUIRE(leg.heal(std::nullopt).has_value());
  BOOST_TEST(gets(front, 40));
}

BOOST_AUTO_TEST_CASE(drop_reply_swallows_one_reply_and_no_request) {
  arm({{"kind", "drop_reply"}, {"message", "GET_FEATURES"}});
  connect();
  front.send(kGet);
  BOOST_REQUIRE(gets(back, 12));
  back.send(kFeatures);
  back.send(bytes_of(Request::GET_QUEUE_NUM, kReply, 8, 1));
  BOOST_REQUIRE(gets(front, 20));
  BOOST_TEST(quiet(front, 20));
  BOOST_TEST((front.bytes == bytes_of(Request::GET_QUEUE_NUM, kReply, 8, 1)));
}

BOOST_AUTO_TEST_CASE(drop_reply_closes_the_descriptors_that_came_with_it) {
  arm({{"kind", "drop_reply"}});
  connect();
  const size_t before = open_descriptors();
  back.send(bytes_of(Request::GET_INFLIGHT_FD, kReply, 24), memory_files(1));
  BOOST_REQUIRE(until([this] { return count("proxy.fault") == 1; }));
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(duplicate_reply_sends_it_twice_with_its_descriptors) {
  arm({{"kind", "duplicate_reply"}});
  connect();
  const auto reply = bytes_of(Request::GET_INFLIGHT_FD, kReply, 24);
  const auto file = memory_files(1);
  back.send(reply, file);
  BOOST_REQUIRE(gets(front, 2 * reply.size()));
  BOOST_TEST(std::equal(reply.begin(), reply.end(), front.bytes.begin() + 36));
  BOOST_TEST(front.fds.size() == 2);
  BOOST_TEST(inode_of(front.fds[1]) == inode_of(file[0]));
}

BOOST_AUTO_TEST_CASE(lose_fd_takes_the_named_descriptor_and_leaves_the_others) {
  arm({{"kind", "lose_fd"}, {"message", "SET_MEM_TABLE"}, {"index", 1}});
  connect();
  const auto files = memory_files(3);
  const auto table = bytes_of(Request::SET_MEM_TABLE, kRequest, 104);
  front.send(table, files);
  BOOST_REQUIRE(gets(back, table.size()));
  BOOST_TEST((back.bytes == table));
  BOOST_REQUIRE(back.fds.size() == 2);
  BOOST_TEST(inode_of(back.fds[0]) == inode_of(files[0]));
  BOOST_TEST(inode_of(back.fds[1]) == inode_of(files[2]));
}

BOOST_AUTO_TEST_CASE(lose_fd_waits_for_a_message_that_has_one) {
  arm({{"kind", "lose_fd"}});
  connect();
  BOOST_REQUIRE(handshake());
  BOOST_TEST(count("proxy.fault") == 0);
  front.send(bytes_of(Request::SET_LOG_FD, kRequest, 0), memory_files(1));
  BOOST_REQUIRE(gets(back, 36));
  BOOST_TEST(back.fds.empty());
}

BOOST_AUTO_TEST_CASE(corrupt_changes_the_named_bytes_only_and_never_past_the_end) {
  arm({{"kind", "corrupt"}, {"message", 1}, {"offset", 18}, {"bytes", "00112233"}});
  connect();
  auto message = bytes_of(Request::SET_FEATURES, kRequest, 8);
  front.send(message);
  front.send(message);
  BOOST_REQUIRE(gets(back, 40));
  BOOST_TEST(std::equal(message.begin(), message.end(), back.bytes.begin() + 20));
  message[18] = std::byte{0x00};
  message[19] = std::byte{0x11};
  BOOST_TEST(std::equal(message.begin(), message.end(), back.bytes.begin()));
  BOOST_TEST(last("proxy.fault")["bytes"] == 2);
}

BOOST_AUTO_TEST_CASE(slow_limits_the_rate_of_its_direction_and_loses_nothing) {
  arm({{"kind", "slow"}, {"bytes_per_s", 1000}, {"dir", "frontend"}});
  connect();
  const auto message = bytes_of(Request::SET_FEATURES, kRequest, 88);
  front.send(message, memory_files(2));
  BOOST_REQUIRE(gets(back, 1));
  const uint64_t start = now_ns();
  back.send(kFeatures);
  BOOST_REQUIRE(gets(front, 20));
  BOOST_REQUIRE(gets(back, message.size()));
  BOOST_TEST((now_ns() - start) >= 70'000'000);  // 100 bytes take 100 ms, less a slice at either end
  BOOST_TEST((back.bytes == message));
  BOOST_TEST(back.fds.size() == 2);
}

BOOST_AUTO_TEST_CASE(a_healed_rate_limit_is_off_at_once) {
  arm({{"kind", "slow"}, {"bytes_per_s", 1}});
  connect();
  front.send(kOwner);
  BOOST_REQUIRE(gets(back, 1));
  BOOST_REQUIRE(leg.heal(std::nullopt).has_value());
  BOOST_TEST(gets(back, 12));
}

BOOST_AUTO_TEST_CASE(two_faults_on_one_message_both_act) {
  arm({{"kind", "duplicate_reply"}});
  arm({{"kind", "cut"}, {"after_message", "GET_FEATURES"}, {"dir", "backend"}});
  connect();
  back.send(kFeatures);
  BOOST_REQUIRE(ends(front));
  BOOST_TEST(front.bytes.size() == 40);
}

BOOST_AUTO_TEST_SUITE_END()
