#include "emu/flow/probe.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <vector>

#include "emu/flow/transport.hpp"
#include "tests/unit/flow/vectors.hpp"

using namespace testbed::flow;

namespace {

std::string hex(const std::vector<uint8_t>& octets) {
  std::string text;
  for (const uint8_t octet : octets) {
    text += "0123456789abcdef"[octet >> 4];
    text += "0123456789abcdef"[octet & 15];
  }
  return text;
}

Probe probe_of(const nlohmann::json& golden) {
  Probe probe;
  probe.destination = *parse_mac(golden["dst"].get<std::string>());
  probe.source = *parse_mac(golden["src"].get<std::string>());
  probe.kind = golden["kind"].get<Kind>();
  probe.run = golden["run"];
  probe.epoch = golden["epoch"];
  probe.flow = golden["flow"];
  probe.stream = golden["stream"];
  probe.age_us = golden["age"];
  probe.sequence = golden["seq"];
  probe.stamp_ns = golden["stamp"];
  return probe;
}

std::vector<uint8_t> sample(uint32_t length, uint64_t sequence = 5) {
  Probe probe;
  probe.destination = {{2, 0, 0, 0, 1, 1}};
  probe.source = {{2, 0, 0, 0, 0, 1}};
  probe.flow = 3;
  probe.sequence = sequence;
  probe.stamp_ns = 1234567;
  std::vector<uint8_t> frame(length);
  write_probe(frame.data(), length, probe, 42);
  return frame;
}

Verdict verdict(const std::vector<uint8_t>& frame) {
  Probe probe;
  return read_probe(frame.data(), static_cast<uint32_t>(frame.size()), probe);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(probe_frame)

BOOST_AUTO_TEST_CASE(frames_are_those_that_another_encoder_makes_from_the_document) {
  const auto vectors = read_vectors("probe.json");
  BOOST_REQUIRE_EQUAL(vectors["frames"].size(), 4u);
  for (const auto& golden : vectors["frames"]) {
    std::vector<uint8_t> frame(golden["length"].get<size_t>());
    write_probe(frame.data(), static_cast<uint32_t>(frame.size()), probe_of(golden), golden["seed"]);
    BOOST_TEST(hex(frame) == golden["frame"].get<std::string>());
    Probe read;
    BOOST_TEST((read_probe(frame.data(), static_cast<uint32_t>(frame.size()), read) == Verdict::good));
    BOOST_TEST((read == probe_of(golden)));
  }
}

BOOST_AUTO_TEST_CASE(a_template_counts_addresses_up_by_the_stream) {
  Probe base;
  base.destination = {{2, 0, 0, 0, 0, 0xfe}};
  base.source = {{2, 0, 0, 1, 0xff, 0xff}};
  const ProbeTemplate prepared(base, 1);
  std::vector<uint8_t> frame(64);
  prepared.write(frame.data(), 64, 3, 9, 0, 0);
  Probe probe;
  BOOST_TEST((read_probe(frame.data(), 64, probe) == Verdict::good));
  BOOST_TEST(to_string(probe.destination) == "02:00:00:00:01:01");
  BOOST_TEST(to_string(probe.source) == "02:00:00:01:00:02");
}

BOOST_AUTO_TEST_CASE(every_flipped_bit_is_noticed) {
  for (const uint32_t length : {60u, 64u, 443u}) {
    auto frame = sample(length);
    for (size_t bit = 0; bit < 8 * frame.size(); ++bit) {
      frame[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
      BOOST_REQUIRE((verdict(frame) != Verdict::good));
      frame[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    }
    BOOST_TEST((verdict(frame) == Verdict::good));
  }
}

BOOST_AUTO_TEST_CASE(content_swapped_between_two_packets_is_noticed_wherever_it_is_cut) {
  const auto one = sample(300, 5), other = sample(300, 6);
  for (size_t cut = 1; cut < 299; ++cut) {
    auto torn = one;
    std::copy(other.begin() + static_cast<std::ptrdiff_t>(cut), other.end(),
              torn.begin() + static_cast<std::ptrdiff_t>(cut));
    if (torn == one || torn == other) continue;
    BOOST_REQUIRE((verdict(torn) == Verdict::corrupted));
  }
}

BOOST_AUTO_TEST_CASE(a_frame_cut_short_or_padded_is_corrupted_and_a_strange_one_is_not_ours) {
  auto frame = sample(200);
  frame.resize(199);
  BOOST_TEST((verdict(frame) == Verdict::corrupted));
  frame.resize(204);
  BOOST_TEST((verdict(frame) == Verdict::corrupted));
  frame.resize(20);
  BOOST_TEST((verdict(frame) == Verdict::corrupted));
  frame.resize(13);
  BOOST_TEST((verdict(frame) == Verdict::other));
  BOOST_TEST((verdict(std::vector<uint8_t>(60, 0)) == Verdict::other));
}

BOOST_AUTO_TEST_CASE(mac_addresses_are_read_and_mistakes_are_not) {
  BOOST_TEST(to_string(*parse_mac("02:aB:00:00:00:ff")) == "02:ab:00:00:00:ff");
  for (const char* wrong : {"", "02:00:00:00:00", "02:00:00:00:00:0g", "02-00-00-00-00-00",
                            "02:00:00:00:00:000", "2:00:00:00:00:000", "02:00:00:00:00:-1"})
    BOOST_TEST(!parse_mac(wrong).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
