// Frames that go round, over rings that stand in for the switch: what leaves port 0 arrives at port 1 and the
// other way about.
#include "emu/bench/circulation.hpp"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <string>

using namespace testbed;
using namespace testbed::bench;

namespace {

const flow::Mac kMac[] = {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 1, 0, 1}}};

struct Ports {
  // `joined`: what leaves one port arrives at the other. Else it stays in `left`, and nothing arrives.
  explicit Ports(bool joined = true) {
    static int made = 0;
    const std::string name = "bench" + std::to_string(made++);
    pool = rte_pktmbuf_pool_create(name.c_str(), 511, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    BOOST_REQUIRE(pool);
    for (int i = 0; i < 2; ++i) {
      left[i] = make_ring(name + "left" + std::to_string(i));
      nothing[i] = make_ring(name + "nothing" + std::to_string(i));
    }
    for (int i = 0; i < 2; ++i) {
      rte_ring* arrives = joined ? left[1 - i] : nothing[i];
      const int port = rte_eth_from_rings((name + std::to_string(i)).c_str(), &arrives, 1, &left[i], 1, 0);
      BOOST_REQUIRE_GE(port, 0);
      number[i] = static_cast<uint16_t>(port);
      const rte_eth_conf conf{};
      BOOST_REQUIRE_EQUAL(rte_eth_dev_configure(number[i], 1, 1, &conf), 0);
      BOOST_REQUIRE_EQUAL(rte_eth_rx_queue_setup(number[i], 0, 64, SOCKET_ID_ANY, nullptr, pool), 0);
      BOOST_REQUIRE_EQUAL(rte_eth_tx_queue_setup(number[i], 0, 64, SOCKET_ID_ANY, nullptr), 0);
      BOOST_REQUIRE_EQUAL(rte_eth_dev_start(number[i]), 0);
    }
  }
  ~Ports() {
    for (int i = 0; i < 2; ++i) {
      rte_eth_dev_stop(number[i]);
      rte_eth_dev_close(number[i]);
    }
    for (rte_ring* ring : {left[0], left[1], nothing[0], nothing[1]}) rte_ring_free(ring);
    rte_mempool_free(pool);
  }
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;

  static rte_ring* make_ring(const std::string& name) {
    rte_ring* ring = rte_ring_create(name.c_str(), 1024, SOCKET_ID_ANY, 0);
    BOOST_REQUIRE(ring);
    return ring;
  }
  Direction direction(int from) const {
    return {.out = number[from],
            .in = number[1 - from],
            .out_pool = pool,
            .in_pool = pool,
            .source = kMac[from],
            .destination = kMac[1 - from]};
  }
  // Takes a frame out of the loop; null when none is on its way just now.
  rte_mbuf* take(int from) const {
    void* frame = nullptr;
    return rte_ring_dequeue(left[from], &frame) == 0 ? static_cast<rte_mbuf*>(frame) : nullptr;
  }
  rte_mbuf* take_soon(int from) const {
    rte_mbuf* frame = nullptr;
    BOOST_REQUIRE(soon([&] { return (frame = take(from)) != nullptr; }));
    return frame;
  }
  static bool soon(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done())
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  }

  rte_mempool* pool;
  rte_ring *left[2], *nothing[2];
  uint16_t number[2];
};

flow::Mac destination_of(const rte_mbuf* frame) {
  return flow::mac_at(rte_pktmbuf_mtod(frame, const uint8_t*));
}
flow::Mac source_of(const rte_mbuf* frame) {
  return flow::mac_at(rte_pktmbuf_mtod(frame, const uint8_t*) + 6);
}

bool went_round(const Circulation& circulation, uint64_t packets) {
  return Ports::soon([&] { return circulation.counts().packets >= packets; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(frames_go_round_and_none_is_lost) {
  Ports ports;
  Circulation circulation({ports.direction(0), ports.direction(1)}, {.octets = 64, .macs = 4, .window = 100});
  circulation.start({});
  BOOST_TEST(went_round(circulation, 10'000));
  BOOST_TEST(circulation.stop() == 0u);
  BOOST_TEST(circulation.counts().refills == 0u);
  BOOST_TEST(circulation.counts().busy_cycles > 0u);
  BOOST_TEST(rte_mempool_in_use_count(ports.pool) == 0u);
}

BOOST_AUTO_TEST_CASE(frames_that_the_switch_keeps_are_counted_as_lost) {
  Ports ports;
  Circulation circulation({ports.direction(0)}, {.octets = 64, .window = 100});
  circulation.start({});
  BOOST_REQUIRE(went_round(circulation, 1000));
  for (int i = 0; i < 3; ++i) rte_pktmbuf_free(ports.take_soon(0));
  BOOST_TEST(circulation.stop() == 3u);
}

BOOST_AUTO_TEST_CASE(every_address_speaks_from_where_it_lives_before_frames_are_sent_to_it) {
  Ports ports(false);
  Circulation circulation({ports.direction(0)}, {.octets = 64, .macs = 3, .window = 3});
  circulation.start({});
  for (uint16_t i = 0; i < 3; ++i) {
    rte_mbuf* hello = ports.take_soon(1);
    BOOST_TEST((destination_of(hello) == flow::kBroadcast));
    BOOST_TEST((source_of(hello) == kMac[1].plus(i)));
    rte_pktmbuf_free(hello);
  }
  for (uint16_t i = 0; i < 3; ++i) {
    rte_mbuf* frame = ports.take_soon(0);
    BOOST_TEST((destination_of(frame) == kMac[1].plus(i)));
    BOOST_TEST((source_of(frame) == kMac[0].plus(i)));
    BOOST_TEST(frame->pkt_len == 64u);
    rte_pktmbuf_free(frame);
  }
}

BOOST_AUTO_TEST_CASE(a_loop_that_has_lost_everything_is_filled_again_and_says_so) {
  Ports ports(false);
  Circulation circulation({ports.direction(0)}, {.octets = 64, .window = 8});
  circulation.start({});
  for (int i = 0; i < 2 * 8; ++i) rte_pktmbuf_free(ports.take_soon(0));
  BOOST_TEST(circulation.counts().refills >= 1u);
  BOOST_TEST(circulation.stop() == 0u);
}

BOOST_AUTO_TEST_CASE(frames_of_another_length_are_taken_out) {
  Ports ports;
  Circulation circulation({ports.direction(0)}, {.octets = 64, .window = 10});
  rte_mbuf* stranger = rte_pktmbuf_alloc(ports.pool);
  BOOST_REQUIRE(rte_pktmbuf_append(stranger, 90));
  BOOST_REQUIRE_EQUAL(rte_ring_enqueue(ports.left[0], stranger), 0);
  circulation.start({});
  BOOST_REQUIRE(went_round(circulation, 1000));
  BOOST_TEST(circulation.stop() == 0u);
  BOOST_TEST(circulation.counts().odd == 1u);
}

BOOST_AUTO_TEST_CASE(a_touched_frame_changes_on_every_line_and_keeps_its_addresses) {
  Ports ports;
  Circulation circulation({ports.direction(0)}, {.octets = 200, .touch = true, .window = 1});
  circulation.start({});
  BOOST_REQUIRE(went_round(circulation, 10));
  rte_mbuf* frame = ports.take_soon(0);
  BOOST_TEST((destination_of(frame) == kMac[1]));
  const auto* octets = rte_pktmbuf_mtod(frame, const uint8_t*);
  for (const size_t line : {1, 2}) BOOST_TEST(octets[20 + 64 * line] == octets[20]);
  BOOST_TEST(octets[20 + 64] != octets[21 + 64]);
  rte_pktmbuf_free(frame);
}
