// The capture brick: its file, and what happens when it cannot be written.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "core/base/clock.hpp"
#include "tests/unit/core/rig.hpp"

using namespace testbed;

namespace {

struct Record {
  uint32_t interface, captured, original;
  uint64_t t_ns;
  Frame bytes;
};

// Reads what a pcapng file must look like; anything else fails the test.
std::vector<Record> read_pcapng(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  const auto word = [&](size_t at) {
    uint32_t value = 0;
    BOOST_REQUIRE(at + 4 <= file.size());
    std::memcpy(&value, file.data() + at, 4);
    return value;
  };
  std::vector<Record> records;
  size_t interfaces = 0;
  BOOST_REQUIRE(word(0) == 0x0a0d0d0au);
  BOOST_REQUIRE(word(8) == 0x1a2b3c4du);
  for (size_t at = 0; at < file.size();) {
    const uint32_t type = word(at), length = word(at + 4);
    BOOST_REQUIRE(length % 4 == 0 && at + length <= file.size());
    BOOST_REQUIRE(word(at + length - 4) == length);
    if (type == 1) ++interfaces;
    if (type == 6) {
      Record record{word(at + 8),
                    word(at + 20),
                    word(at + 24),
                    static_cast<uint64_t>(word(at + 12)) << 32 | word(at + 16),
                    {}};
      const auto* data = reinterpret_cast<const std::byte*>(file.data() + at + 28);
      record.bytes.assign(data, data + record.captured);
      records.push_back(std::move(record));
    }
    at += length;
  }
  BOOST_TEST(interfaces == 2u);
  return records;
}

struct Captured : Rig {
  explicit Captured(nlohmann::json options = {{"file", "x.pcapng"}}) : tap(brick("tap", "capture", options)) {
    edge({"p0", ""}, {"tap", "west"});
    edge({"p1", ""}, {"tap", "east"});
  }
  // Ends the capture, which writes everything out.
  std::vector<Record> finish() {
    graph.unlink({{"p0", ""}, {"tap", "west"}, ""});
    graph.unlink({{"p1", ""}, {"tap", "east"}, ""});
    graph.unlink_brick("tap");
    graph.forget();
    return read_pcapng(scratch.file("x.pcapng"));
  }
  nlohmann::json wait_until_all_seen(uint64_t packets) {
    const auto deadline = now_ns() + 5'000'000'000u;
    nlohmann::json seen;
    do {
      seen = tap.describe();
      std::this_thread::yield();
    } while (seen["captured"].get<uint64_t>() + seen["capture_missed"].get<uint64_t>() < packets &&
             now_ns() < deadline);
    return seen;
  }
  FakePort& p0 = port("p0");
  FakePort& p1 = port("p1");
  Brick& tap;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(capture)

BOOST_FIXTURE_TEST_CASE(a_capture_passes_everything_and_its_file_tells_what_passed, Captured) {
  const Frame small = frame(station(2), station(1), 60), jumbo = frame(station(1), station(2), 9000);
  p0.inject(small, 2);
  run();
  p1.inject(jumbo);
  run();
  BOOST_TEST(p1.collect().size() == 2u);
  const auto passed = p0.collect();
  BOOST_REQUIRE(passed.size() == 1u);
  BOOST_TEST((passed[0] == jumbo));
  const auto records = finish();
  BOOST_REQUIRE(records.size() == 3u);
  BOOST_TEST(records[0].interface == 0u);
  BOOST_TEST((records[0].bytes == small));
  BOOST_TEST(records[2].interface == 1u);
  BOOST_TEST((records[2].bytes == jumbo));
  const uint64_t wall = static_cast<uint64_t>(time(nullptr)) * 1'000'000'000u;
  BOOST_TEST(records[2].t_ns > wall - 60'000'000'000u);
  BOOST_TEST(records[2].t_ns < wall + 60'000'000'000u);
  BOOST_TEST(conserved());
}

BOOST_AUTO_TEST_CASE(a_capture_with_a_snap_length_keeps_the_original_length) {
  Captured rig(nlohmann::json{{"file", "x.pcapng"}, {"snap_length", 100}});
  rig.p0.inject(frame(station(2), station(1), 1500));
  rig.run();
  const auto records = rig.finish();
  BOOST_REQUIRE(records.size() == 1u);
  BOOST_TEST(records[0].captured == 100u);
  BOOST_TEST(records[0].original == 1500u);
}

BOOST_AUTO_TEST_CASE(a_full_disk_stops_no_packet_and_every_missed_one_is_counted) {
  Captured rig(nlohmann::json{{"file", "/dev/full"}});
  rig.p0.inject(frame(station(2), station(1)), 500);
  rig.run();
  BOOST_TEST(rig.p1.collect().size() == 500u);
  const auto seen = rig.wait_until_all_seen(500);
  BOOST_TEST(seen["captured"] == 0);
  BOOST_TEST(seen["capture_missed"] == 500);
  BOOST_TEST(seen["last_error"].get<std::string>().find("No space left") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_capture_that_cannot_keep_up_counts_what_it_missed) {
  Captured rig(nlohmann::json{{"file", "x.pcapng"}, {"buffer_kb", 128}});
  rig.p0.inject(frame(station(2), station(1), 9000), 2000);
  rig.run();
  BOOST_TEST(rig.p1.collect().size() == 2000u);
  const auto seen = rig.wait_until_all_seen(2000);
  BOOST_TEST(seen["captured"].get<size_t>() + seen["capture_missed"].get<size_t>() == 2000u);
  BOOST_TEST(rig.finish().size() == seen["captured"].get<size_t>());
}

BOOST_FIXTURE_TEST_CASE(two_captures_do_not_write_one_file, Captured) {
  const auto second = brick_factories().at("capture").create("other", {{"file", "x.pcapng"}}, environment);
  BOOST_REQUIRE(!second);
  BOOST_TEST((second.error().code == Errc::busy));
}

BOOST_AUTO_TEST_SUITE_END()
