// A driver is killed at any instruction; another goes on with the same memory, and no chain is lost or
// invented.
//
// A child process works on the rings and is single-stepped. After every instruction that changed the rings or
// the driver's state, what is in memory is exactly what a kill there would leave: it is copied, and a new
// driver takes the copy over.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "ring_fixture.hpp"

namespace testbed::driver {
namespace {

const RingOptions kKinds[] = {
    {.size = 8, .first = 65533},
    {.size = 4, .indirect = true, .table_length = 2},
    {.size = 8, .in_order = true},
    {.size = 7, .packed = true, .first = 0x8000},
    {.size = 5, .packed = true, .indirect = true, .table_length = 2, .first = 0x8003},
    {.size = 8, .packed = true, .in_order = true, .first = 0x8000},
};

// The octets that a kill leaves behind.
std::vector<uint8_t> remains(const RingFixture& f) {
  const RingSizes sizes = ring_sizes(f.options);
  std::vector<uint8_t> all(f.state.base(), f.state.base() + f.state.size());
  const auto add = [&](uint64_t gpa, uint64_t length) {
    const uint8_t* from = f.memory.at(gpa, length);
    all.insert(all.end(), from, from + length);
  };
  add(f.place.descriptors, sizes.descriptors);
  add(f.place.available, sizes.available);
  add(f.place.used, sizes.used);
  return all;
}

void lay_to_rest(const std::vector<uint8_t>& remains, RingFixture& f) {
  const RingSizes sizes = ring_sizes(f.options);
  const uint8_t* from = remains.data();
  const auto take = [&](uint8_t* to, uint64_t length) {
    std::memcpy(to, from, length);
    from += length;
  };
  take(f.state.base(), f.state.size());
  take(f.memory.at(f.place.descriptors, sizes.descriptors), sizes.descriptors);
  take(f.memory.at(f.place.available, sizes.available), sizes.available);
  take(f.memory.at(f.place.used, sizes.used), sizes.used);
}

bool offer(Ring& ring) {
  const std::vector<Segment> segments(2, {0x50000, 64, true});
  const auto token = ring.acquire(ring.descriptors_for(segments.size()));
  if (token) ring.add(*token, segments);
  return token.has_value();
}

void take_all(Ring& ring) {
  std::vector<UsedChain> used(64);
  while (ring.take(used) > 0) {
  }
}

// A driver that starts on `left` finds every chain: the device returns all it has seen and will see, and the
// ring is empty.
void check_recovery(const RingFixture& original, const std::vector<uint8_t>& left,
                    std::vector<SeenChain> held) {
  RingFixture f(original.options);
  lay_to_rest(left, f);
  BOOST_TEST_REQUIRE(f.restart());
  NaiveDevice device(f.memory, original.device);
  for (int round = 0; round < 3; ++round) {
    while (const auto chain = device.next()) held.push_back(*chain);
    for (const SeenChain& chain : held) device.finish(chain, 1);
    held.clear();
    take_all(*f.ring);
    BOOST_TEST_REQUIRE(f.ring->faults() == RingFaults{});
    BOOST_TEST_REQUIRE(f.ring->outstanding() == 0);
    BOOST_TEST_REQUIRE(f.ring->room() == f.options.size);
    BOOST_TEST_REQUIRE(f.ring->resume_position() == device.used_position());
    while (offer(*f.ring)) {  // and it works on
    }
    f.ring->publish();
  }
}

// What the victim does: takes two chains that came back and offers two.
[[noreturn]] void victim(Ring& ring) {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGSTOP);
  std::vector<UsedChain> used(2);
  ring.take(used);
  offer(ring);
  offer(ring);
  ring.publish();
  ::_exit(0);
}

// How many different states were seen; 0 when this process may not trace its children.
size_t step_through(RingFixture& f, const std::vector<SeenChain>& held) {
  const pid_t child = ::fork();
  if (child == 0) victim(*f.ring);
  size_t states = 0;
  std::vector<uint8_t> last;
  int status = 0;
  for (::waitpid(child, &status, 0); WIFSTOPPED(status); ::waitpid(child, &status, 0)) {
    auto now = remains(f);
    if (now != last) {
      last = std::move(now);
      ++states;
      check_recovery(f, last, held);
    }
    if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
  }
  BOOST_TEST(WIFEXITED(status));
  return states;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ring_recovery)

BOOST_DATA_TEST_CASE(a_driver_killed_at_any_instruction_is_followed_by_one_that_knows_every_chain,
                     boost::unit_test::data::xrange(std::size(kKinds)), kind) {
  RingFixture f(kKinds[kind]);
  for (int lap = 0; lap <= f.options.size; ++lap) {
    std::vector<SeenChain> held;
    while (offer(*f.ring)) {
    }
    f.ring->publish();
    while (const auto chain = f.device.next()) held.push_back(*chain);
    for (int i = 0; i < 2 && held.size() > 1; ++i) {
      f.device.finish(held.front(), 1);
      held.erase(held.begin());
    }
    BOOST_TEST_REQUIRE(step_through(f, held) >= 8u);
    // The child is gone; this process goes on the same way.
    BOOST_TEST_REQUIRE(f.restart());
    while (const auto chain = f.device.next()) held.push_back(*chain);
    for (const SeenChain& chain : held) f.device.finish(chain, 1);
    take_all(*f.ring);
  }
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
