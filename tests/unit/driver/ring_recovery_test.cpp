// A driver is killed at any instruction; another goes on with the same memory, and no chain is lost or
// invented.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>

#include "ring_fixture.hpp"

namespace testbed::driver {
namespace {

// Everything both processes need, in shared memory: guest memory is a memfd already, the ring's state and the
// device are here.
struct Shared {
  uint8_t state[65536];
};

class Victim {
 public:
  Victim(Ring& ring, unsigned seed) : ring_(ring), random_(seed) {}

  // Never returns: is killed.
  [[noreturn]] void run() {
    for (;;) {
      const size_t count = 1 + random_() % 3;
      const std::vector<Segment> segments(count, {0x50000, 64, true});
      while (random_() % 4) {
        const auto token = ring_.acquire(ring_.descriptors_for(count));
        if (!token) break;
        ring_.add(*token, segments);
        if (random_() % 2) ring_.publish();
      }
      ring_.publish();
      std::vector<UsedChain> used(1 + random_() % 4);
      ring_.take(used);
    }
  }

 private:
  Ring& ring_;
  std::mt19937 random_;
};

void kill_and_recover(const RingOptions& options, unsigned seed) {
  RingFixture f(options);
  auto* shared = static_cast<Shared*>(
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  BOOST_TEST_REQUIRE(RingState::bytes(options.size) <= sizeof shared->state);
  auto ring = make_ring(f.memory, f.place, options, shared->state);
  ring->reset();
  std::mt19937 random(seed);
  const pid_t child = ::fork();
  if (child == 0) Victim(*ring, seed).run();
  // The device lives on in this process, as a backend does, and works on the same rings.
  std::vector<SeenChain> held;
  const auto work = [&](size_t rounds) {
    for (size_t i = 0; i < rounds; ++i) {
      if (const auto chain = f.device.next()) held.push_back(*chain);
      if (!held.empty() && random() % 2) {
        const size_t which = options.in_order ? 0 : random() % held.size();
        f.device.finish(held[which], 1);
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
      }
    }
  };
  work(200 + random() % 2000);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);

  ring = make_ring(f.memory, f.place, options, shared->state);
  BOOST_TEST_REQUIRE(ring->recover());
  work(100);
  while (const auto chain = f.device.next()) held.push_back(*chain);
  for (const SeenChain& chain : held) f.device.finish(chain, 1);
  std::vector<UsedChain> used(64);
  while (ring->take(used) > 0) {
  }
  BOOST_TEST(ring->faults() == RingFaults{});
  BOOST_TEST(ring->outstanding() == 0);
  BOOST_TEST(ring->room() == options.size);
  BOOST_TEST(ring->resume_position() == f.device.used_position());
  // And it works on.
  for (int i = 0; i < 2 * options.size; ++i) {
    const auto token = ring->acquire(1);
    BOOST_TEST_REQUIRE(token.has_value());
    const Segment segment{0x50000, 64, true};
    ring->add(*token, {&segment, 1});
    ring->publish();
    const auto chain = f.device.next();
    BOOST_TEST_REQUIRE(chain.has_value());
    f.device.finish(*chain, 7);
    BOOST_TEST_REQUIRE(ring->take(used) == 1);
    BOOST_TEST(used[0].token == *token);
  }
  ::munmap(shared, sizeof(Shared));
}

const RingOptions kKinds[] = {
    {.size = 8, .first = 65500},
    {.size = 64, .indirect = true, .table_length = 8},
    {.size = 16, .in_order = true},
    {.size = 7, .packed = true, .first = 0x8000},
    {.size = 64, .packed = true, .indirect = true, .table_length = 8, .first = 0x8000},
    {.size = 16, .packed = true, .in_order = true, .first = 0x8000},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ring_recovery)

BOOST_DATA_TEST_CASE(a_driver_killed_at_any_instruction_is_followed_by_one_that_knows_every_chain,
                     boost::unit_test::data::xrange(std::size(kKinds)), kind) {
  for (unsigned seed = 1; seed <= 40; ++seed) kill_and_recover(kKinds[kind], seed);
}

BOOST_AUTO_TEST_CASE(a_state_of_another_format_or_size_is_not_taken_over) {
  RingFixture f({.size = 8});
  f.options.packed = true;
  BOOST_TEST(!f.restart());
  f.options = {.size = 4};
  BOOST_TEST(!f.restart());
  f.options = {.size = 8};
  BOOST_TEST(f.restart());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
