// The byte stream between two link ports: frames whole or not at all.
#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "vdev/link/link_session.hpp"

using namespace testbed;
using link::LinkSession;

namespace {

struct Cable {
  Cable() {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    far = Fd(ends[0]);
    near = std::make_unique<LinkSession>(Fd(ends[1]));
  }
  void write(const std::string& octets) const {
    BOOST_REQUIRE(::send(far.get(), octets.data(), octets.size(), 0) == static_cast<ssize_t>(octets.size()));
  }
  // Everything that can be received now, as text.
  std::vector<std::string> receive() const {
    std::array<Packet, kBurst> packets;
    std::vector<std::string> frames;
    while (const uint16_t count = near->receive(packets.data())) {
      for (uint16_t i = 0; i < count; ++i)
        frames.emplace_back(reinterpret_cast<const char*>(packets[i].payload), packets[i].length);
      near->release();
    }
    return frames;
  }
  Fd far;
  std::unique_ptr<LinkSession> near;
};

std::string framed(const std::string& frame) {
  const auto length = static_cast<uint32_t>(frame.size());
  std::string octets = {static_cast<char>(length >> 24), static_cast<char>(length >> 16),
                        static_cast<char>(length >> 8), static_cast<char>(length)};
  return octets + frame;
}

Packet packet_of(std::string& frame) {
  auto* octets = reinterpret_cast<std::byte*>(frame.data());
  return {.head = octets,
          .payload = octets,
          .length = static_cast<uint32_t>(frame.size()),
          .head_length = static_cast<uint16_t>(std::min<size_t>(frame.size(), kHeadBytes)),
          .kind = PayloadKind::memory,
          .flags = 0};
}

uint16_t send_one(LinkSession& session, std::string frame) {
  Packet packet = packet_of(frame);
  Packet* one = &packet;
  return session.send(&one, 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(link_session)

BOOST_AUTO_TEST_CASE(frames_arrive_whole_however_the_stream_is_cut) {
  const Cable cable;
  const std::string octets = framed(std::string(60, 'a')) + framed(std::string(1500, 'b'));
  std::vector<std::string> frames;
  for (const char octet : octets) {
    cable.write(std::string(1, octet));
    for (auto& frame : cable.receive()) frames.push_back(frame);
  }
  BOOST_REQUIRE_EQUAL(frames.size(), 2u);
  BOOST_TEST(frames[0] == std::string(60, 'a'));
  BOOST_TEST(frames[1] == std::string(1500, 'b'));
}

BOOST_AUTO_TEST_CASE(a_burst_is_at_most_32_frames_and_the_rest_is_ready) {
  const Cable cable;
  for (int i = 0; i < 40; ++i) cable.write(framed(std::string(64, 'x')));
  std::array<Packet, kBurst> packets;
  BOOST_TEST(cable.near->receive(packets.data()) == kBurst);
  BOOST_TEST(cable.near->has_frames());
  cable.near->release();
  BOOST_TEST(cable.near->receive(packets.data()) == 8);
}

BOOST_AUTO_TEST_CASE(what_the_socket_does_not_take_waits_and_nothing_is_cut) {
  const Cable near;
  LinkSession far(Fd(::dup(near.far.get())));
  size_t taken = 0;
  while (send_one(*near.near, std::string(1500, static_cast<char>('a' + taken % 26)))) ++taken;
  BOOST_TEST(near.near->waits());
  size_t arrived = 0;
  std::array<Packet, kBurst> packets;
  while (arrived < taken) {
    const uint16_t count = far.receive(packets.data());
    for (uint16_t i = 0; i < count; ++i, ++arrived) {
      BOOST_REQUIRE_EQUAL(packets[i].length, 1500u);
      BOOST_REQUIRE_EQUAL(static_cast<char>(*static_cast<std::byte*>(packets[i].payload)),
                          'a' + arrived % 26);
    }
    far.release();
    near.near->flush();
    BOOST_REQUIRE(count > 0);
  }
  BOOST_TEST(!near.near->waits());
}

BOOST_AUTO_TEST_CASE(a_length_that_no_frame_has_ends_the_session) {
  for (const std::string& octets : {std::string(4, '\0'), std::string("\x7f\xff\xff\xff", 4)}) {
    const Cable cable;
    cable.write(octets);
    BOOST_TEST(cable.receive().empty());
    BOOST_TEST(cable.near->gone());
    BOOST_TEST(cable.near->reason() == std::string("not a frame"));
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_closes_is_noticed_by_either_direction) {
  Cable reading, writing;
  reading.far.reset();
  reading.receive();
  BOOST_TEST(reading.near->gone());
  writing.far.reset();
  send_one(*writing.near, std::string(64, 'x'));
  BOOST_TEST(writing.near->gone());
}

BOOST_AUTO_TEST_CASE(a_frame_longer_than_any_is_not_taken) {
  const Cable cable;
  BOOST_TEST(send_one(*cable.near, std::string(link::kMaxFrame + 1, 'x')) == 0);
  BOOST_TEST(send_one(*cable.near, std::string(link::kMaxFrame, 'x')) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
