#include "core/graph/steering.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <set>

#include "tests/unit/core/rig.hpp"

using namespace testbed;

namespace {

// A frame of 64 octets with what the test puts into it.
struct Made {
  explicit Made(uint16_t type) { put(12, type), at = 14; }
  Made& put(size_t offset, uint16_t value) {
    bytes[offset] = static_cast<uint8_t>(value >> 8);
    bytes[offset + 1] = static_cast<uint8_t>(value);
    return *this;
  }
  Made& macs(uint8_t destination, uint8_t source) {
    bytes[5] = destination, bytes[11] = source;
    return *this;
  }
  // The type moves behind a tag.
  Made& tagged(uint16_t vlan) {
    std::memmove(bytes.data() + 16, bytes.data() + 12, bytes.size() - 16);
    put(12, 0x8100).put(14, vlan), at += 4;
    return *this;
  }
  uint32_t hash(uint16_t head_length = 100) const {
    std::array<std::byte, 100> head;
    std::memcpy(head.data(), bytes.data(), head.size());
    return flow_hash({.head = head.data(),
                      .payload = nullptr,
                      .length = 100,
                      .head_length = head_length,
                      .kind = {},
                      .flags = 0});
  }
  std::array<uint8_t, 100> bytes{};
  size_t at;
};

Made ipv4(uint8_t source, uint8_t destination, uint16_t from, uint16_t to, uint8_t protocol = 6) {
  Made made(0x0800);
  made.bytes[14] = 0x45;
  made.bytes[23] = protocol;
  made.bytes[29] = source, made.bytes[33] = destination;
  return made.put(34, from).put(36, to);
}

Made ipv6(uint8_t source, uint8_t destination, uint16_t from, uint16_t to, uint8_t protocol = 17) {
  Made made(0x86dd);
  made.bytes[14] = 0x60;
  made.bytes[20] = protocol;
  made.bytes[37] = source, made.bytes[53] = destination;
  return made.put(54, from).put(56, to);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(steering)

BOOST_AUTO_TEST_CASE(both_directions_of_a_flow_have_one_hash) {
  BOOST_TEST(ipv4(1, 2, 80, 4711).hash() == ipv4(2, 1, 4711, 80).hash());
  BOOST_TEST(ipv6(1, 2, 53, 4711).hash() == ipv6(2, 1, 4711, 53).hash());
  BOOST_TEST(Made(0x88b5).macs(1, 2).hash() == Made(0x88b5).macs(2, 1).hash());
}

BOOST_AUTO_TEST_CASE(frames_that_have_a_length_for_a_type_stay_together) {
  BOOST_TEST(Made(0x0040).macs(1, 2).hash() == Made(0x0050).macs(1, 2).hash());  // IEEE 802.3
}

BOOST_AUTO_TEST_CASE(flows_that_differ_in_an_address_a_port_or_the_protocol_differ) {
  const std::set<uint32_t> hashes = {
      ipv4(1, 2, 80, 4711).hash(),     ipv4(1, 3, 80, 4711).hash(),    ipv4(1, 2, 80, 4712).hash(),
      ipv4(1, 2, 4711, 80).hash(),  // other ends of the same addresses
      ipv4(1, 2, 80, 4711, 17).hash(), ipv6(1, 2, 80, 4711).hash(),    ipv6(1, 3, 80, 4711).hash(),
      ipv6(1, 2, 81, 4711).hash(),     Made(0x0806).macs(1, 2).hash(), Made(0x0806).macs(1, 3).hash()};
  BOOST_TEST(hashes.size() == 10u);
}

BOOST_AUTO_TEST_CASE(addresses_decide_and_not_what_the_next_hop_is_called) {
  BOOST_TEST(ipv4(1, 2, 80, 4711).macs(7, 8).hash() == ipv4(1, 2, 80, 4711).macs(9, 10).hash());
  BOOST_TEST(ipv4(1, 2, 80, 4711).tagged(5).hash() == ipv4(1, 2, 80, 4711).hash());
  BOOST_TEST(ipv6(1, 2, 80, 4711).tagged(5).tagged(6).hash() == ipv6(1, 2, 80, 4711).hash());
}

BOOST_AUTO_TEST_CASE(all_fragments_of_a_packet_have_one_hash) {
  const uint32_t first = ipv4(1, 2, 80, 4711).put(20, 0x2000).hash();       // more follow
  const uint32_t last = ipv4(1, 2, 0x1234, 0x5678).put(20, 0x0010).hash();  // payload where the ports were
  BOOST_TEST(first == last);
  BOOST_TEST(ipv6(1, 2, 80, 4711, 44).hash() == ipv6(1, 2, 5, 6, 44).hash());
}

BOOST_AUTO_TEST_CASE(what_is_no_port_does_not_count) {
  BOOST_TEST(ipv4(1, 2, 0x0800, 1, 1).hash() ==
             ipv4(1, 2, 0x0000, 2, 1).hash());  // ICMP: type, code, checksum
}

BOOST_AUTO_TEST_CASE(headers_that_are_cut_off_or_nonsense_are_steered_by_what_is_there) {
  const Made whole = ipv4(1, 2, 80, 4711);
  BOOST_TEST(whole.hash(33) == Made(0x0800).hash(33));      // no whole IPv4 header: by MAC addresses
  BOOST_TEST(whole.hash(37) == ipv4(1, 2, 5, 6).hash(37));  // no whole ports: by addresses
  BOOST_TEST(whole.hash(13) == 0u);
  Made wrong = ipv4(1, 2, 80, 4711);
  wrong.bytes[14] = 0x41;  // a header of four octets
  BOOST_TEST(wrong.hash() == Made(0x0800).hash());
  BOOST_TEST(Made(0x8100).hash(16) == Made(0x8100).hash(15));  // a tag without a type behind it
}

BOOST_AUTO_TEST_CASE(flows_spread_over_all_lanes_and_evenly) {
  for (const uint16_t lanes : {2, 3, 8, 128}) {
    std::vector<unsigned> hits(lanes);
    constexpr unsigned kFlows = 20'000;
    for (unsigned i = 0; i < kFlows; ++i)
      ++hits[lane_of(ipv4(1, 2, static_cast<uint16_t>(i), 80).hash(), lanes)];
    for (const unsigned hit : hits) {
      BOOST_TEST(hit > kFlows / lanes / 2);
      BOOST_TEST(hit < kFlows / lanes * 2);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_flow_leaves_by_one_queue_whatever_it_came_in_by_and_in_order) {
  Rig rig;
  FakePort& in = rig.port("in", 4);
  FakePort& out = rig.port("out", 8);
  rig.edge({"in", ""}, {"out", ""});
  for (uint16_t round = 0; round < 10; ++round)
    for (uint16_t flow = 0; flow < 50; ++flow)
      in.inject(frame(station(flow), station(1000), 64 + round), 1, flow % 4);
  rig.run();
  std::map<std::vector<std::byte>, std::set<uint16_t>> queues_of;
  std::map<std::vector<std::byte>, size_t> last_length;
  const auto sent = out.collect_by_queue();
  for (const auto& [queue, frames] : sent) {
    for (const Frame& bytes : frames) {
      const std::vector flow(bytes.begin(), bytes.begin() + 6);
      queues_of[flow].insert(queue);
      BOOST_TEST(last_length[flow] < bytes.size());
      last_length[flow] = bytes.size();
    }
  }
  BOOST_TEST(sent.size() == 8u);
  BOOST_TEST(queues_of.size() == 50u);
  for (const auto& [flow, queues] : queues_of) BOOST_TEST(queues.size() == 1u);
  BOOST_TEST(rig.conserved());
}

BOOST_AUTO_TEST_CASE(a_full_queue_costs_the_flows_of_the_others_nothing) {
  Rig rig;
  FakePort& in = rig.port("in");
  FakePort& out = rig.port("out", 4);
  rig.edge({"in", ""}, {"out", ""});
  out.frozen = 1;
  for (uint16_t flow = 0; flow < 100; ++flow) in.inject(frame(station(flow), station(1000)));
  rig.run();
  const auto sent = out.collect_by_queue();
  BOOST_TEST(sent.size() == 3u);
  size_t arrived = 0;
  for (const auto& [queue, frames] : sent) arrived += frames.size();
  size_t meant_for_it = 0;
  for (uint16_t flow = 0; flow < 100; ++flow) {
    Made probe(0);
    const Frame bytes = frame(station(flow), station(1000));
    std::memcpy(probe.bytes.data(), bytes.data(), 64);
    meant_for_it += lane_of(probe.hash(), 4) == 1;
  }
  BOOST_TEST(meant_for_it > 0u);
  BOOST_TEST(arrived == 100 - meant_for_it);
  BOOST_TEST(rig.drops("out", DropReason::ring_full) == meant_for_it);
  BOOST_TEST(rig.conserved());
}

BOOST_AUTO_TEST_SUITE_END()
