// Hubs, chains of bricks, what ports refuse, and keeping packets.
#include <rte_mbuf.h>

#include <boost/test/unit_test.hpp>
#include <cstring>

#include "core/graph/keep.hpp"
#include "tests/unit/core/rig.hpp"

using namespace testbed;

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
  Packet packet{.head = head.data(),
                .payload = source,
                .length = 5000,
                .head_length = kHeadBytes,
                .kind = PayloadKind::mbuf,
                .flags = 0};
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

// A call owed to a driver must not wait for the next packet: what it points to may be gone by then.
BOOST_FIXTURE_TEST_CASE(what_a_port_put_off_is_done_in_its_round_with_packets_or_without, Rig) {
  struct Count final : AfterRound {
    void after_round() override { ++rounds; }
    int rounds = 0;
  } count;
  brick("lan", "switch");
  FakePort& p0 = port("p0", "lan");
  port("p1", "lan");
  p0.put_off = &count;
  run();
  BOOST_TEST(count.rounds == 1);
  p0.inject(frame(kBroadcast, station(1)));
  run();  // one round with a packet, one in which nothing is left
  BOOST_TEST(count.rounds == 3);
  BOOST_TEST(worker.after_round == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
