// The switch is killed at any instruction of a burst: taken, forwarded, given back. Another one starts on
// what is left, as the gate has it start, and every frame comes out once or not at all.
//
// A child process runs the burst and is single-stepped. After each instruction that changed a ring or a
// record, what is in memory is what a kill there would leave; it is copied, and resumed.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "pipe.hpp"
#include "vdev/gate/virtqueues.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::ring::test {
namespace {

using wire::Feature;
using wire::Request;

struct Case {
  driver::RingOptions ring;
  bool mergeable = false;
  bool busy = false;     // the guests go on while the switch is dead
  uint16_t longest = 2;  // segments of a chain
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << (c.ring.packed ? "packed " : "split ") << c.ring.size << " first " << c.ring.first
               << (c.ring.in_order ? " in-order" : "") << (c.mergeable ? " mergeable" : "")
               << (c.busy ? " busy" : "") << " chains to " << c.longest;
  }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const bool mergeable : {false, true})
    for (const bool busy : {false, true}) {
      const bool in_order = mergeable != busy;
      all.push_back({{64, false, false, false, in_order, 1, 65531}, mergeable, busy});
      all.push_back({{64, true, false, false, !in_order, 1, 0x803d}, mergeable, busy});
    }
  all.push_back({{128, true, false, false, false, 1, 0x8050}, false, false, 90});  // longer than the log
  all.push_back({{1, true, false, false, false, 1, 0x8000}, false, false, 1});
  return all;
}

constexpr uint16_t kFrames = 6;

// What SET_VRING_KICK makes of the ring: the position the back-end is told to go on at.
uint16_t start_by_gate(const Guest& guest, uint16_t vring) {
  auto memory = gate::PortMemory::volatile_memory(2);
  gate::Virtqueues queues(memory, 2);
  std::memcpy(static_cast<void*>(&memory.ring(vring)), &guest.record(), sizeof(gate::RingRecord));
  wire::VringAddr address = guest.address;
  address.index = vring;
  const driver::RingOptions& ring = guest.options.ring;
  // QEMU says the base that the device had at its start.
  const wire::VringState base{vring, ring.first};
  BOOST_REQUIRE(queues.observe(guest.table_message()));
  BOOST_REQUIRE(
      queues.observe(gate::make_message(Request::SET_VRING_NUM, 0, wire::VringState{vring, ring.size})));
  BOOST_REQUIRE(queues.observe(gate::make_message(Request::SET_VRING_ADDR, 0, address)));
  BOOST_REQUIRE(queues.observe(gate::make_message(Request::SET_VRING_BASE, 0, base)));
  const uint64_t features =
      (ring.packed ? bit(Feature::RING_PACKED) : 0) | (ring.in_order ? bit(Feature::IN_ORDER) : 0);
  const auto found = queues.start(vring, features);
  std::memcpy(static_cast<void*>(&guest.record()), &memory.ring(vring), sizeof(gate::RingRecord));
  if (!found) return ring.first;
  return static_cast<uint16_t>(found->position | (found->wrap ? wire::kPositionWrap : 0));
}

// A switch with a port for each of two guests.
template <typename Ring>
class Switch {
 public:
  Switch(Guest& from, Guest& to, uint16_t from_base, uint16_t to_base)
      : from_(from),
        to_(to),
        out_(from.make_ring<Ring>()),
        in_(to.make_ring<Ring>()),
        out_cursor_(out_.resume(from_base)),
        in_cursor_(in_.resume(to_base)) {
    out_.want_kicks(out_cursor_, false);
    in_.want_kicks(in_cursor_, false);
  }

  // Takes what waits, sends it on, gives it back. Returns the frames taken.
  uint16_t burst() {
    std::array<Packet, kBurst> packets;
    std::array<Packet*, kBurst> all;
    for (uint16_t i = 0; i < kBurst; ++i) all[i] = &packets[i];
    Faults faults;
    Source<Ring> source(out_, out_cursor_, from_.terms, *scratch_, from_.record());
    const uint16_t count = source.take(packets.data(), faults);
    if (count == 0) return 0;
    Sink<Ring>(in_, in_cursor_, to_.terms, *scratch_, to_.record()).put(all.data(), count, faults);
    source.give_back();
    return count;
  }

 private:
  Guest &from_, &to_;
  Ring out_, in_;
  typename Ring::Cursor out_cursor_, in_cursor_;
  std::unique_ptr<Scratch> scratch_ = std::make_unique<Scratch>();
};

using Used = std::vector<std::pair<Posted, uint32_t>>;

// What a guest makes of the buffers that came back: num_buffers of them hold a frame; one without octets is
// none.
std::vector<Octets> frames_in(const Guest& guest, const Used& used) {
  std::vector<Octets> frames;
  for (size_t i = 0; i < used.size();) {
    if (used[i].second == 0) {
      ++i;
      continue;
    }
    Octets frame;
    size_t buffers = 1;
    for (size_t part = 0; part < buffers; ++part, ++i) {
      BOOST_TEST_REQUIRE(i < used.size());
      BOOST_TEST_REQUIRE((part == 0 || used[i].second > 0u));
      uint32_t left = used[i].second;
      for (const auto& segment : used[i].first.segments) {
        const Octets octets = guest.read(segment.gpa, std::min(left, segment.length));
        frame.insert(frame.end(), octets.begin(), octets.end());
        left -= static_cast<uint32_t>(octets.size());
      }
      if (part == 0) buffers = std::to_integer<uint8_t>(frame[10]);
    }
    frames.emplace_back(frame.begin() + 12, frame.end());
  }
  return frames;
}

template <typename Ring>
class Kill {
 public:
  explicit Kill(const Case& c)
      : case_(c),
        from_({c.ring, 12, c.mergeable}),
        to_({c.ring, 12, c.mergeable}),
        sender_(from_, c.ring.first + 1u),
        receiver_(to_, c.ring.first + 2u) {
    for (uint16_t i = 0; i < kFrames; ++i) send(from_, sender_, offered_);
    while (room(to_, receiver_)) {
    }
    from_.driver().publish();
    to_.driver().publish();
  }

  // How many different states were resumed.
  size_t step_through() {
    const pid_t child = ::fork();
    if (child == 0) victim();
    size_t states = 0;
    Octets last, now;
    int status = 0;
    for (::waitpid(child, &status, 0); WIFSTOPPED(status); ::waitpid(child, &status, 0)) {
      remains(now);
      if (now != last) {
        last.swap(now);
        ++states;
        resume();
      }
      if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
    }
    BOOST_TEST(WIFEXITED(status));
    return states;
  }

 private:
  bool send(Guest& guest, Owner& owner, std::vector<Octets>& offered) const {
    const Octets frame = made_frame(100 + 97 * offered.size(), offered.size() + 1);
    Octets contents(12);
    contents.insert(contents.end(), frame.begin(), frame.end());
    const size_t most = std::min<size_t>(case_.longest, guest.options.ring.size);
    if (!owner.post(static_cast<uint32_t>(contents.size()), most, false, contents)) return false;
    offered.push_back(frame);
    return true;
  }
  bool room(Guest& guest, Owner& owner) const {
    return owner.post(case_.mergeable ? 300 : 1600, std::min<size_t>(case_.longest, guest.options.ring.size),
                      true);
  }

  [[noreturn]] void victim() {
    Switch<Ring> first(from_, to_, case_.ring.first, case_.ring.first);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    first.burst();
    ::_exit(0);
  }

  void remains(Octets& all) const {
    all.clear();
    for (const Guest* guest : {&from_, &to_}) {
      const auto add = [&](const void* at, size_t length) {
        const auto* octets = static_cast<const std::byte*>(at);
        all.insert(all.end(), octets, octets + length);
      };
      add(&guest->record(), sizeof(gate::RingRecord));
      add(guest->memory.at(guest->place.descriptors, 1), guest->place.tables - guest->place.descriptors);
    }
  }

  void resume() const {
    Guest from({case_.ring, 12, case_.mergeable}), to({case_.ring, 12, case_.mergeable});
    from.take_over(from_);
    to.take_over(to_);
    Owner sender(from, sender_), receiver(to, receiver_);
    const bool claimed = from.record().claimed();
    std::vector<Octets> offered = offered_;
    Used received, returned;
    const auto reap = [&] {
      for (auto& one : receiver.reap_any()) received.push_back(std::move(one));
      for (auto& one : sender.reap_any()) returned.push_back(std::move(one));
    };
    reap();
    const bool gone = claimed || !returned.empty();
    if (case_.busy) {
      send(from, sender, offered);
      while (room(to, receiver)) {
      }
      from.driver().publish();
      to.driver().publish();
    }
    const uint16_t from_base = start_by_gate(from, 1), to_base = start_by_gate(to, 0);
    reap();
    const size_t arrived = frames_in(to, received).size();
    // What was claimed is given back, and nothing else.
    const size_t taken = std::min<size_t>(kFrames, in_burst());
    BOOST_TEST_REQUIRE(returned.size() == (gone ? taken : 0));
    for (const auto& [posted, length] : returned) BOOST_TEST_REQUIRE(length == 0u);

    Switch<Ring> next(from, to, from_base, to_base);
    while (next.burst() > 0) {
      reap();
      while (room(to, receiver)) {
      }
      to.driver().publish();
    }
    reap();
    BOOST_TEST_REQUIRE(from.driver().outstanding() == 0);
    std::vector<Octets> expected(offered.begin(), offered.begin() + static_cast<ptrdiff_t>(arrived));
    expected.insert(expected.end(), offered.begin() + static_cast<ptrdiff_t>(gone ? taken : 0),
                    offered.end());
    BOOST_REQUIRE(frames_in(to, received) == expected);
  }

  size_t in_burst() const {
    size_t count = 0, slots = 0;
    for (const Posted& posted : sender_.waiting()) {
      slots += posted.slots;
      if (case_.ring.packed && slots > gate::RingRecord::kUndo && count > 0) break;
      ++count;
    }
    return count;
  }

  const Case case_;
  Guest from_, to_;
  Owner sender_, receiver_;
  std::vector<Octets> offered_;
};

}  // namespace

// Of an instrumented program there are too many instructions, and one thread has no races.
#if defined(__SANITIZE_THREAD__)
BOOST_AUTO_TEST_SUITE(kill, *boost::unit_test::disabled())
#else
BOOST_AUTO_TEST_SUITE(kill)
#endif

BOOST_DATA_TEST_CASE(a_kill_at_any_instruction_gives_back_what_was_claimed_and_repeats_nothing,
                     boost::unit_test::data::make(cases()), c) {
  const size_t states =
      c.ring.packed ? Kill<PackedRing>(c).step_through() : Kill<SplitRing>(c).step_through();
  BOOST_TEST(states >= 6u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
