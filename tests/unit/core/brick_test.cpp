// Hub, capture, chains of bricks, and keeping packets.
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include <rte_mbuf.h>

#include "core/base/clock.hpp"
#include "core/graph/keep.hpp"
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
      Record record{word(at + 8), word(at + 20), word(at + 24),
                    static_cast<uint64_t>(word(at + 12)) << 32 | word(at + 16), {}};
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
    } while (seen["captured"].get<uint64_t>() + seen["capture_missed"].get<uint64_t>() < packets && now_ns() < deadline);
    return seen;
  }
  FakePort& p0 = port("p0");
  FakePort& p1 = port("p1");
  Brick& tap;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(bricks)

BOOST_AUTO_TEST_CASE(a_hub_sends_everything_everywhere_but_back) {
  Rig rig;
  rig.brick("h", "hub");
  FakePort& p0 = rig.port("p0", "h");
  FakePort& p1 = rig.port("p1", "h");
  FakePort& p2 = rig.port("p2", "h");
  p0.inject(frame(station(2), station(1)), 100);
  rig.run();
  BOOST_TEST(p0.collect().empty());
  BOOST_TEST(p1.collect().size() == 100u);
  BOOST_TEST(p2.collect().size() == 100u);
  BOOST_TEST(rig.sums("h").replicated == 100u);
  BOOST_TEST(rig.conserved());
}

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

BOOST_AUTO_TEST_CASE(a_capture_between_two_switches_loses_nothing) {
  Rig rig;
  rig.brick("a", "switch");
  rig.brick("b", "switch");
  rig.brick("tap", "capture", {{"file", "y.pcapng"}});
  rig.edge({"a", ""}, {"tap", "west"});
  rig.edge({"tap", "east"}, {"b", ""});
  FakePort& p0 = rig.port("p0", "a");
  rig.port("p1", "a");
  FakePort& q0 = rig.port("q0", "b");
  FakePort& q1 = rig.port("q1", "b");
  q0.inject(frame(kBroadcast, station(7)));
  rig.run();
  BOOST_TEST(p0.collect().size() == 1u);
  q1.collect();
  p0.inject(frame(station(7), station(1)), 77);
  rig.run();
  BOOST_TEST(q0.collect().size() == 77u);
  BOOST_TEST(q1.collect().empty());
  BOOST_TEST(rig.conserved());
}

BOOST_AUTO_TEST_CASE(an_unconnected_side_and_an_unconnected_port_drop_by_name) {
  Rig rig;
  rig.brick("tap", "capture", {{"file", "y.pcapng"}});
  FakePort& p0 = rig.port("p0");
  rig.edge({"p0", ""}, {"tap", "west"});
  p0.inject(frame(station(2), station(1)), 3);
  rig.port("alone").inject(frame(station(2), station(1)), 4);
  rig.run();
  BOOST_TEST(rig.drops("tap", DropReason::unconnected) == 3u);
  BOOST_TEST(rig.drops("alone", DropReason::unconnected) == 4u);
  BOOST_TEST(rig.conserved());
}

BOOST_AUTO_TEST_CASE(a_full_egress_queue_drops_what_it_does_not_take_at_that_port) {
  Rig rig;
  rig.brick("lan", "switch");
  FakePort& p0 = rig.port("p0", "lan");
  FakePort& p1 = rig.port("p1", "lan");
  p1.room = 5;
  p0.inject(frame(kBroadcast, station(1)), 32);
  rig.run();
  BOOST_TEST(p1.collect().size() == 5u);
  BOOST_TEST(rig.drops("p1", DropReason::ring_full) == 27u);
  BOOST_TEST(rig.conserved());
}

BOOST_AUTO_TEST_CASE(frames_too_big_for_a_port_are_dropped_alone) {
  Rig rig;
  rig.brick("lan", "switch");
  FakePort& p0 = rig.port("p0", "lan");
  FakePort& p1 = rig.port("p1", "lan");
  p1.longest = 1500;
  for (size_t size : {64, 9000, 64, 9000, 9000, 64, 9000}) p0.inject(frame(kBroadcast, station(1), size));
  rig.run();
  BOOST_TEST(p1.collect().size() == 3u);
  BOOST_TEST(rig.drops("p1", DropReason::too_big) == 4u);
  BOOST_TEST(rig.conserved());
}

BOOST_AUTO_TEST_CASE(packets_leave_by_the_queue_of_the_number_they_came_in_by) {
  Rig rig;
  rig.brick("lan", "switch");
  FakePort& p0 = rig.port("p0", 4);
  FakePort& p1 = rig.port("p1", 4);
  rig.edge({"p0", ""}, {"lan", ""});
  rig.edge({"p1", ""}, {"lan", ""});
  p0.inject(frame(kBroadcast, station(1)), 1, 3);
  rig.run();
  BOOST_TEST(p1.last_tx_queue == 3);
  BOOST_TEST(p0.unreleased() == 0u);
}

// What makes the conservation check worth having: it notices a brick that forgets a packet.
BOOST_AUTO_TEST_CASE(a_brick_that_forgets_a_packet_breaks_the_balance) {
  struct Forgetful final : Brick {
    using Brick::Brick;
    Result<Member> attach(const std::string&, const std::string&) override { return members++; }
    void detach(Member) override {}
    Result<void> configure(const nlohmann::json&) override { return {}; }
    nlohmann::json describe() const override { return {}; }
    void process(WorkerContext&, Member from, Packet* const* packets, uint16_t count, Emitter& out) override {
      out.forward(packets + 1, static_cast<uint16_t>(count - 1), from == 0 ? 1 : 0);
    }
    Member members = 0;
  };
  Rig rig;
  rig.add(std::make_unique<Forgetful>("leak"));
  rig.port("p0", "leak").inject(frame(kBroadcast, station(1)), 10);
  rig.port("p1", "leak");
  rig.run();
  BOOST_TEST(!rig.conserved());
}

BOOST_AUTO_TEST_CASE(a_kept_packet_is_whole_with_the_head_as_bricks_left_it) {
  rte_mempool* pool = rte_pktmbuf_pool_create("keep", 63, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  BOOST_REQUIRE(pool);
  const Frame original = frame(station(2), station(1), 5000);
  Frame head(original.begin(), original.begin() + kHeadBytes);
  head[0] = std::byte{0x55};
  // In three segments of 2000, 2000 and 1000 octets.
  rte_mbuf* source = rte_pktmbuf_alloc(pool);
  for (size_t at = 0; at < original.size(); at += 2000) {
    rte_mbuf* segment = at == 0 ? source : rte_pktmbuf_alloc(pool);
    const size_t here = std::min<size_t>(2000, original.size() - at);
    std::memcpy(rte_pktmbuf_append(segment, static_cast<uint16_t>(here)), original.data() + at, here);
    if (at > 0) BOOST_REQUIRE(rte_pktmbuf_chain(source, segment) == 0);
  }
  Packet packet{.head = head.data(), .payload = source, .length = 5000, .head_length = kHeadBytes,
                .kind = PayloadKind::mbuf, .flags = 0};
  Frame expected = original;
  expected[0] = std::byte{0x55};
  Frame copy(5000);
  BOOST_TEST(copy_frame(packet, copy.data(), 5000) == 5000u);
  BOOST_TEST((copy == expected));
  BOOST_TEST(copy_frame(packet, copy.data(), 200) == 200u);

  rte_mbuf* kept = copy_to_mbuf(packet, pool);
  BOOST_REQUIRE(kept);
  BOOST_TEST(kept->pkt_len == 5000u);
  BOOST_TEST(kept->nb_segs == 3);
  Frame read(5000);
  const void* bytes = rte_pktmbuf_read(kept, 0, 5000, read.data());
  BOOST_TEST(std::memcmp(bytes, expected.data(), 5000) == 0);
  rte_pktmbuf_free(kept);

  std::vector<rte_mbuf*> rest;
  while (rte_mbuf* one = rte_pktmbuf_alloc(pool)) rest.push_back(one);
  rte_pktmbuf_free(rest.back());  // one is not enough for the frame
  rest.pop_back();
  BOOST_TEST(!copy_to_mbuf(packet, pool));
  for (rte_mbuf* one : rest) rte_pktmbuf_free(one);
  rte_pktmbuf_free(source);
  BOOST_TEST(rte_mempool_in_use_count(pool) == 0u);
  rte_mempool_free(pool);
}

BOOST_AUTO_TEST_SUITE_END()
