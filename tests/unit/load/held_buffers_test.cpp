#include "emu/load/held_buffers.hpp"

#include <rte_mbuf.h>

#include <boost/test/unit_test.hpp>
#include <vector>

using namespace testbed::load;

namespace {

struct Pooled {
  Pooled() { pool = rte_pktmbuf_pool_create("held", 511, 0, 0, 256, SOCKET_ID_ANY); }
  ~Pooled() {
    BOOST_TEST(rte_mempool_in_use_count(pool) == 0u);  // neither lost nor freed twice
    rte_mempool_free(pool);
  }
  rte_mempool* pool;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(held_buffers, Pooled)

BOOST_AUTO_TEST_CASE(buffers_go_back_when_newer_ones_come_and_at_the_end) {
  HeldBuffers held;
  for (int i = 0; i < 400; ++i) held.hold(rte_pktmbuf_alloc(pool));
  BOOST_TEST(rte_mempool_in_use_count(pool) == HeldBuffers::kHeld);
}

BOOST_AUTO_TEST_CASE(a_buffer_the_driver_frees_a_second_time_is_freed_once) {
  HeldBuffers held;
  std::vector<rte_mbuf*> delivered;
  for (int i = 0; i < 200; ++i) {
    delivered.push_back(rte_pktmbuf_alloc(pool));
    held.hold(delivered.back());
  }
  held.mark();
  for (int i = 160; i < 200; ++i)
    rte_pktmbuf_free(delivered[static_cast<size_t>(i)]);  // what the driver does in its reset
  BOOST_TEST(rte_mempool_in_use_count(pool) == HeldBuffers::kHeld);
  held.drop_marks();
  for (rte_mbuf* mbuf : std::vector(delivered.end() - HeldBuffers::kHeld, delivered.end()))
    BOOST_TEST(rte_mbuf_refcnt_read(mbuf) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
