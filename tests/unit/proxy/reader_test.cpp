// Framing, and matching replies to requests, apart from any leg.
#include "emu/proxy/message_reader.hpp"
#include "tests/unit/proxy/peers.hpp"

using namespace peers;

namespace {

struct Pair {
  Pair() {
    int fds[2];
    BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    writer.fd.reset(fds[0]);
    read_end.reset(fds[1]);
  }
  MessageReader::Outcome read() { return reader.read(read_end.get(), message); }

  Peer writer;
  Fd read_end;
  MessageReader reader;
  Message message;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(reader, Pair)

BOOST_AUTO_TEST_CASE(any_way_of_cutting_two_messages_gives_the_same_two) {
  const auto first = bytes_of(Request::SET_FEATURES, kRequest, 8),
             second = bytes_of(Request::SET_OWNER, kRequest, 0);
  auto both = first;
  both.insert(both.end(), second.begin(), second.end());
  for (size_t cut = 1; cut < both.size(); ++cut) {
    std::vector<std::vector<std::byte>> got;
    for (const auto& part : {std::vector(both.begin(), both.begin() + static_cast<ptrdiff_t>(cut)),
                             std::vector(both.begin() + static_cast<ptrdiff_t>(cut), both.end())}) {
      writer.send(part);
      while (read() == MessageReader::Outcome::piece) got.push_back(message.bytes);
    }
    BOOST_REQUIRE_EQUAL(got.size(), 2);
    BOOST_TEST((got[0] == first));
    BOOST_TEST((got[1] == second));
  }
}

BOOST_AUTO_TEST_CASE(a_header_that_announces_four_gigabytes_is_not_waited_for) {
  const wire::VhostUserHeader header{1, 1, UINT32_MAX};
  std::vector<std::byte> bytes(MessageReader::kMaxHeld + 100);
  std::memcpy(bytes.data(), &header, sizeof header);
  writer.send(bytes);
  BOOST_TEST((read() == MessageReader::Outcome::piece));
  BOOST_TEST(message.bytes.size() == MessageReader::kMaxHeld);
  BOOST_TEST((message.piece == Piece::message));
  BOOST_TEST((read() == MessageReader::Outcome::again));
  writer.fd.reset();
  BOOST_TEST((read() == MessageReader::Outcome::piece));
  BOOST_TEST((message.piece == Piece::continuation));
  BOOST_TEST(message.bytes.size() == 100);
  BOOST_TEST((read() == MessageReader::Outcome::closed));
}

BOOST_AUTO_TEST_CASE(half_a_header_is_a_fragment_when_its_sender_closes) {
  writer.send(std::vector(5, std::byte{1}));
  BOOST_TEST((read() == MessageReader::Outcome::again));
  writer.fd.reset();
  BOOST_TEST((read() == MessageReader::Outcome::piece));
  BOOST_TEST((message.piece == Piece::fragment));
  BOOST_TEST((read() == MessageReader::Outcome::closed));
}

BOOST_AUTO_TEST_CASE(a_reply_answers_the_oldest_request_of_its_name) {
  ReplyMatcher matcher;
  matcher.request(1, 5);
  matcher.request(2, 11);
  matcher.request(3, 11);
  BOOST_TEST((matcher.reply(11) == std::optional<uint64_t>(2)));
  BOOST_TEST((matcher.reply(5) == std::nullopt));  // it had no reply: the back-end works in order
  BOOST_TEST((matcher.reply(11) == std::optional<uint64_t>(3)));
  BOOST_TEST((matcher.reply(11) == std::nullopt));
}

BOOST_AUTO_TEST_SUITE_END()
