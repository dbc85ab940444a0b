// What a guest left unfinished is finished so that a receiver's own check holds.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <vector>

#include "core/graph/offload.hpp"

using namespace testbed;

namespace {

using Octets = std::vector<std::byte>;

void put(Octets& frame, size_t at, uint32_t value, int octets) {
  for (int i = 0; i < octets; ++i) frame[at + i] = static_cast<std::byte>(value >> 8 * (octets - 1 - i));
}
uint32_t get(const Octets& frame, size_t at, int octets) {
  uint32_t value = 0;
  for (int i = 0; i < octets; ++i) value = value << 8 | std::to_integer<uint32_t>(frame[at + i]);
  return value;
}
uint16_t folded_sum(const Octets& frame, size_t from, size_t to, uint64_t total = 0) {
  for (size_t i = from; i < to; ++i) total += std::to_integer<uint64_t>(frame[i]) << (((i - from) & 1) ? 0 : 8);
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return static_cast<uint16_t>(total);
}

struct Shape {
  bool v6;
  int tags;
  uint32_t payload;
  uint16_t segment;  // 0: only the checksum is missing
  friend std::ostream& operator<<(std::ostream& out, const Shape& s) {
    return out << (s.v6 ? "v6" : "v4") << " tags " << s.tags << " payload " << s.payload << " segment " << s.segment;
  }
};

// A TCP packet as a guest hands it out: the sum of its pseudo header where the checksum will stand.
struct Sent {
  explicit Sent(const Shape& shape)
      : network(14u + 4u * shape.tags), transport(network + (shape.v6 ? 40u : 20u)), headers(transport + 32) {
    frame.resize(headers + shape.payload);
    for (uint32_t i = 0; i < shape.payload; ++i) frame[headers + i] = static_cast<std::byte>(i * 31 + i / 256);
    for (int tag = 0; tag < shape.tags; ++tag) put(frame, 12 + 4 * tag, tag == 0 && shape.tags == 2 ? 0x88a8 : 0x8100, 2);
    put(frame, network - 2, shape.v6 ? 0x86dd : 0x0800, 2);
    const uint32_t tcp = static_cast<uint32_t>(frame.size()) - transport;
    if (shape.v6) {
      put(frame, network, 0x60000000, 4);
      put(frame, network + 4, tcp, 2);
      put(frame, network + 6, 6, 1);
      for (int i = 8; i < 40; ++i) put(frame, network + i, i * 3, 1);
    } else {
      put(frame, network, 0x4500, 2);
      put(frame, network + 2, tcp + 20, 2);
      put(frame, network + 4, 0xfffe, 2);  // the identification wraps around
      put(frame, network + 8, 0x4006, 2);
      put(frame, network + 12, 0xc0000201, 4);
      put(frame, network + 16, 0xc0000202, 4);
    }
    put(frame, transport + 4, 0xfffffff0, 4);  // so does the sequence number
    put(frame, transport + 12, 0x80, 1);
    put(frame, transport + 13, 0x80 | 0x10 | 0x08 | 0x01, 1);  // CWR, ACK, PSH, FIN
    put(frame, transport + 16, folded_sum(frame, network + (shape.v6 ? 8 : 12), transport, 6 + tcp), 2);
    std::memcpy(head.data(), frame.data(), std::min<size_t>(frame.size(), kHeadBytes));
    using Cut = Unfinished::Cut;
    packet = {.head = head.data(),
              .payload = frame.data(),
              .length = static_cast<uint32_t>(frame.size()),
              .head_length = static_cast<uint16_t>(std::min<size_t>(frame.size(), kHeadBytes)),
              .kind = PayloadKind::memory,
              .flags = kUnfinished,
              .unfinished = {static_cast<uint16_t>(transport), 16, shape.segment,
                             shape.segment == 0 ? Cut::none : shape.v6 ? Cut::tcp6 : Cut::tcp4}};
  }
  Octets now() const {
    Octets all = frame;
    std::memcpy(all.data(), head.data(), packet.head_length);
    return all;
  }
  uint32_t network, transport, headers;
  Octets frame;
  std::array<std::byte, kHeadBytes> head{};
  Packet packet;
};

// A receiver's check: the sum over pseudo header and segment is all ones.
bool checksum_holds(const Octets& frame, const Sent& sent, bool v6) {
  const auto tcp = static_cast<uint32_t>(frame.size()) - sent.transport;
  const uint64_t pseudo = folded_sum(frame, sent.network + (v6 ? 8 : 12), sent.transport, 6 + tcp);
  return folded_sum(frame, sent.transport, frame.size(), pseudo) == 0xffff;
}

const std::vector<Shape> kWhole = {{false, 0, 0, 0}, {false, 0, 1, 0}, {true, 0, 5000, 0}, {false, 2, 1461, 0}, {true, 1, 77, 0}};
const std::vector<Shape> kCut = {{false, 0, 4000, 1448}, {true, 0, 65000, 1428}, {false, 1, 1448, 1448},
                                 {false, 2, 3001, 1000}, {true, 1, 5, 1},        {false, 0, 65000, 536}};

}  // namespace

BOOST_AUTO_TEST_SUITE(offload)

BOOST_DATA_TEST_CASE(a_missing_checksum_is_made_and_nothing_else_changes, boost::unit_test::data::make(kWhole), shape) {
  Sent sent(shape);
  BOOST_REQUIRE(finish_checksum(sent.packet));
  BOOST_TEST(sent.packet.flags == 0);
  Octets now = sent.now();
  BOOST_TEST(checksum_holds(now, sent, shape.v6));
  std::memcpy(now.data() + sent.transport + 16, sent.frame.data() + sent.transport + 16, 2);
  BOOST_TEST((now == sent.frame));
}

BOOST_AUTO_TEST_CASE(a_checksum_outside_the_head_is_not_made) {
  Sent sent({false, 0, 4000, 0});
  sent.packet.unfinished.from = kHeadBytes - 17;
  BOOST_TEST(!finish_checksum(sent.packet));
  sent.packet.unfinished.from = 2;
  BOOST_TEST(!finish_checksum(sent.packet));
  BOOST_TEST(sent.packet.flags == kUnfinished);
  BOOST_TEST((sent.now() == sent.frame));
}

BOOST_DATA_TEST_CASE(a_long_segment_is_cut_into_frames_that_add_up_to_it, boost::unit_test::data::make(kCut), shape) {
  const Sent sent(shape);
  Segmenter segmenter;
  BOOST_REQUIRE(segmenter.begin(sent.packet));
  std::array<Packet*, kBurst> frames;
  uint32_t made = 0, payload = 0;
  while (const uint16_t count = segmenter.next(frames)) {
    for (uint16_t i = 0; i < count; ++i, ++made) {
      const auto* at = static_cast<const std::byte*>(frames[i]->payload);
      const Octets frame(at, at + frames[i]->length);
      BOOST_REQUIRE(frames[i]->flags == 0);
      const uint32_t here = frames[i]->length - sent.headers;
      BOOST_REQUIRE(here <= shape.segment);
      BOOST_REQUIRE((std::equal(at + sent.headers, at + frames[i]->length, sent.frame.begin() + sent.headers + payload)));
      BOOST_REQUIRE(checksum_holds(frame, sent, shape.v6));
      BOOST_REQUIRE(get(frame, sent.transport + 4, 4) == 0xfffffff0 + payload);
      const bool last = payload + here == shape.payload;
      BOOST_REQUIRE(get(frame, sent.transport + 13, 1) == (0x10u | (made == 0 ? 0x80 : 0) | (last ? 0x09 : 0)));
      if (shape.v6) {
        BOOST_REQUIRE(get(frame, sent.network + 4, 2) == 32 + here);
      } else {
        BOOST_REQUIRE(get(frame, sent.network + 2, 2) == 52 + here);
        BOOST_REQUIRE(get(frame, sent.network + 4, 2) == ((0xfffe + made) & 0xffff));
        BOOST_REQUIRE(folded_sum(frame, sent.network, sent.network + 20) == 0xffff);
      }
      payload += here;
    }
  }
  BOOST_TEST(payload == shape.payload);
  BOOST_TEST(made == (shape.payload + shape.segment - 1) / shape.segment);
}

BOOST_AUTO_TEST_CASE(a_packet_whose_headers_are_not_what_it_says_is_not_cut) {
  const Shape shape{false, 0, 4000, 1448};
  const auto refused = [&](auto spoil) {
    Sent sent(shape);
    spoil(sent);
    return !Segmenter().begin(sent.packet);
  };
  BOOST_TEST(!refused([](Sent&) {}));
  BOOST_TEST(refused([](Sent& s) { s.packet.unfinished.cut = Unfinished::Cut::tcp6; }));
  BOOST_TEST(refused([](Sent& s) { s.packet.unfinished.segment = 0; }));
  BOOST_TEST(refused([](Sent& s) { s.packet.unfinished.at = 6; }));
  BOOST_TEST(refused([](Sent& s) { s.packet.unfinished.from = 30; }));
  BOOST_TEST(refused([](Sent& s) { s.packet.unfinished.from = 120; }));
  BOOST_TEST(refused([](Sent& s) { s.head[12] = std::byte{0x86}; }));
  BOOST_TEST(refused([](Sent& s) { s.head[14] = std::byte{0x46}; }));      // options that are not there
  BOOST_TEST(refused([](Sent& s) { s.head[23] = std::byte{17}; }));        // UDP
  BOOST_TEST(refused([](Sent& s) { s.head[34 + 12] = std::byte{0x40}; }));  // a TCP header of 16 octets
  BOOST_TEST(refused([](Sent& s) { s.packet.length = s.headers; }));
  BOOST_TEST(refused([](Sent& s) { s.packet.head_length = 20; }));
}

BOOST_AUTO_TEST_SUITE_END()
