// A device whose other end takes nothing keeps what it was given. `net_ring` that nobody polls is one.
#include <rte_mbuf.h>

#include <vector>

#include "tests/unit/nic/nic_rig.hpp"
#include "vdev/nic/nic_port.hpp"

using namespace testbed;
using namespace testbed::test;

namespace {

constexpr unsigned kPool = 1023;

// Sends bursts as a worker would, out of a pool of its own. Nobody receives.
struct Sender {
  Sender() : pool(rte_pktmbuf_pool_create("sender", kPool, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY)) {
    BOOST_REQUIRE(pool != nullptr);
  }
  ~Sender() { rte_mempool_free(pool); }

  // A burst that came out of mbufs, or one that lies elsewhere. How many the port took.
  TxOutcome burst(Port& port, PayloadKind kind) {
    std::array<rte_mbuf*, kBurst> mbufs{};
    std::array<Packet, kBurst> packets;
    std::array<Packet*, kBurst> members;
    if (kind == PayloadKind::mbuf) BOOST_REQUIRE_EQUAL(rte_pktmbuf_alloc_bulk(pool, mbufs.data(), kBurst), 0);
    for (uint16_t i = 0; i < kBurst; ++i) {
      packets[i] = {
          .head = bytes.data(), .payload = bytes.data(), .length = 64, .head_length = 64, .kind = kind};
      if (mbufs[i]) {
        packets[i].head = reinterpret_cast<std::byte*>(rte_pktmbuf_append(mbufs[i], 64));
        packets[i].payload = mbufs[i];
      }
      members[i] = &packets[i];
    }
    WorkerContext worker{.pool = pool};
    const TxOutcome outcome = port.transmit(worker, 0, members.data(), kBurst);
    rte_pktmbuf_free_bulk(mbufs.data(), kBurst);
    return outcome;
  }
  uint64_t flood(Port& port, PayloadKind kind, int bursts = 200) {
    uint64_t sent = 0;
    for (int i = 0; i < bursts; ++i) sent += burst(port, kind).sent;
    return sent;
  }

  rte_mempool* pool;
  std::array<std::byte, 64> bytes{};
};

struct ParkedRig : NicRig {
  std::unique_ptr<Port> open(const std::string& device) {
    auto port = testbed::nic::nic_port_type().create("up", test::nic(device), *ports_environment);
    BOOST_REQUIRE_MESSAGE(port.has_value(), (port ? "" : port.error().message));
    return std::move(*port);
  }
  Sender sender;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(parked)

BOOST_AUTO_TEST_CASE(a_device_that_takes_no_more_leaves_half_of_the_senders_pool) {
  ParkedRig rig;
  const auto stuck = rig.open("net_ring0");
  BOOST_TEST(rig.sender.flood(*stuck, PayloadKind::mbuf) >= kPool / 2);
  BOOST_TEST(rte_mempool_avail_count(rig.sender.pool) >= kPool / 2);
  BOOST_TEST(rig.sender.burst(*stuck, PayloadKind::mbuf).sent == 0u);
}

BOOST_AUTO_TEST_CASE(another_device_still_carries_what_the_stuck_one_has_left) {
  ParkedRig rig;
  const auto stuck = rig.open("net_ring0"), other = rig.open("net_ring1");
  rig.sender.flood(*stuck, PayloadKind::mbuf);
  BOOST_TEST(rig.sender.burst(*other, PayloadKind::mbuf).sent == kBurst);
}

BOOST_AUTO_TEST_CASE(packets_that_lie_elsewhere_are_kept_in_the_devices_own_memory) {
  ParkedRig rig;
  const auto stuck = rig.open("net_ring0");
  BOOST_TEST(rig.sender.flood(*stuck, PayloadKind::memory) > 0u);
  BOOST_TEST(rte_mempool_avail_count(rig.sender.pool) == kPool);
  const TxOutcome refused = rig.sender.burst(*stuck, PayloadKind::memory);
  BOOST_TEST(refused.sent == 0u);
  BOOST_TEST((refused.reason == DropReason::no_memory));
}

BOOST_AUTO_TEST_SUITE_END()
