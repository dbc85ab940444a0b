// What a driver may do wrong with a buffer, and with a ring: the buffer comes back unused and is named, the
// next one works; the ring stops where it is.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "pipe.hpp"
#include "wrong_buffers.hpp"

namespace testbed::ring::test {
namespace {

using driver::RawDescriptor;
using wire::kDescNext;
using wire::kDescWrite;

GuestOptions options_for(bool packed, bool indirect, bool mergeable = false) {
  return {{.size = kSize,
           .packed = packed,
           .indirect = indirect,
           .table_length = 4,
           .first = uint16_t(packed ? 0x8000 : 0)},
          12,
          mergeable};
}

uint16_t post(const Guest& guest, const Wrong& wrong, bool receive) {
  const uint16_t turn = receive ? kDescWrite : uint16_t{0};
  for (size_t i = 0; i < wrong.table.size(); ++i) {
    wire::SplitDesc entry = wrong.table[i];
    entry.flags ^= turn;
    // In the table of a packed ring the flags come last.
    if (guest.options.ring.packed) std::swap(entry.flags, entry.next);
    guest.write(kTable + 16 * i, std::as_bytes(std::span(&entry, 1)));
  }
  for (uint32_t i = 0; i < wrong.empty_entries; ++i) {
    wire::SplitDesc entry{0, 0, uint16_t(turn | kDescNext), uint16_t(i + 1)};
    if (guest.options.ring.packed) entry = {0, 0, 0, turn};
    guest.write(kTable + 16 * i, std::as_bytes(std::span(&entry, 1)));
  }
  std::vector<RawDescriptor> chain = wrong.chain;
  for (RawDescriptor& one : chain) one.flags ^= turn;
  return guest.post_raw(chain);
}

std::vector<driver::UsedChain> take(const Guest& guest) {
  std::vector<driver::UsedChain> used(64);
  used.resize(guest.driver().take(used));
  BOOST_TEST((guest.driver().faults() == driver::RingFaults{}));
  return used;
}

uint16_t post_good(const Guest& guest, uint32_t length, bool receive) {
  return guest.post_raw({{Guest::kData + 0x1000, length, receive ? kDescWrite : uint16_t{0}}});
}

struct Seen {
  uint16_t count = 0;
  Faults faults;
};

template <typename Ring>
Seen transmit(const Guest& guest, typename Ring::Cursor& cursor, Octets& frame) {
  auto scratch = std::make_unique<Scratch>();
  const Ring ring = guest.make_ring<Ring>();
  std::array<Packet, kBurst> packets;
  Seen seen;
  Source<Ring> source(ring, cursor, guest.terms, *scratch, guest.record());
  seen.count = source.take(packets.data(), seen.faults);
  if (seen.count > 0) {
    frame.resize(packets[0].length);
    copy_frame(packets[0], frame.data(), packets[0].length);
  }
  if (scratch->taken > 0) source.give_back();
  return seen;
}

template <typename Ring>
Seen receive(const Guest& guest, typename Ring::Cursor& cursor, size_t length) {
  auto scratch = std::make_unique<Scratch>();
  const Ring ring = guest.make_ring<Ring>();
  Made made(length);
  Packet* const all[] = {&made.packet};
  Seen seen;
  seen.count = Sink<Ring>(ring, cursor, guest.terms, *scratch, guest.record()).put(all, 1, seen.faults).sent;
  return seen;
}

void check_fault(const Seen& seen, const Wrong& wrong, uint16_t head) {
  BOOST_TEST(seen.count == 1);
  BOOST_TEST(seen.faults.count == 1);
  BOOST_TEST(to_string(seen.faults.last) == to_string(wrong.fault));
  BOOST_TEST(seen.faults.head == head);
}

// The bad buffer comes back unused, the good one behind it is used.
template <typename Ring>
void check_transmit(const Wrong& wrong, bool packed) {
  const Guest guest(options_for(packed, wrong.indirect));
  const uint16_t bad = post(guest, wrong, false);
  const Octets frame = made_frame(88, 7);
  guest.write(Guest::kData + 0x1000 + 12, frame);
  const uint16_t good = post_good(guest, 100, false);
  auto cursor = guest.make_ring<Ring>().resume(guest.options.ring.first);
  Octets seen;
  check_fault(transmit<Ring>(guest, cursor, seen), wrong, bad);
  BOOST_TEST((seen == frame));
  const auto used = take(guest);
  BOOST_TEST_REQUIRE(used.size() == 2u);
  BOOST_TEST((used[0].token == bad && used[1].token == good));
}

template <typename Ring>
void check_receive(const Wrong& wrong, bool packed, bool mergeable) {
  const Guest guest(options_for(packed, wrong.indirect, mergeable));
  // With mergeable buffers one before it: the frame may not be cut in two by a buffer that is none.
  const bool before = mergeable;
  if (before) guest.post_raw({{Guest::kData + 0x800, 60, kDescWrite}});
  const uint16_t bad = post(guest, wrong, true);
  const uint16_t good = post_good(guest, 1000, true);
  auto cursor = guest.make_ring<Ring>().resume(guest.options.ring.first);
  check_fault(receive<Ring>(guest, cursor, 500), wrong, bad);
  auto used = take(guest);
  BOOST_TEST_REQUIRE(used.size() == (before ? 3u : 2u));
  if (before) {
    BOOST_TEST(used[0].length == 0u);
    used.erase(used.begin());
  }
  BOOST_TEST((used[0].token == bad && used[0].length == 0));
  BOOST_TEST((used[1].token == good && used[1].length == 512));
  const Octets there = guest.read(Guest::kData + 0x1000, 512);
  BOOST_TEST((Octets(there.begin() + 12, there.end()) == made_frame(500, 3)));
  BOOST_TEST(std::to_integer<int>(there[10]) == 1);
}

// -- Of the ring
struct Stop {
  const char* name;
  Fault fault;
  bool packed;
  uint16_t index = 0;
  friend std::ostream& operator<<(std::ostream& out, const Stop& s) { return out << s.name; }
};
const Stop kStops[] = {{"index one too far", Fault::index, false, kSize + 1},
                       {"index backwards", Fault::index, false, 0xffff},
                       {"index half round", Fault::index, false, 0x8000},
                       {"head", Fault::head, false},
                       {"endless", Fault::endless, true}};

void stop(const Guest& guest, const Stop& how, bool receive) {
  const uint16_t flags = receive ? kDescWrite : uint16_t{0};
  const RawDescriptor one{Guest::kData, 1000, flags};
  if (how.fault == Fault::index) guest.post_raw({one}, {.avail_index = how.index});
  if (how.fault == Fault::head) guest.post_raw({one}, {.head = kSize});
  if (how.fault != Fault::endless) return;
  std::vector<RawDescriptor> all(kSize, one);
  all.back().flags |= kDescNext;
  guest.post_raw(all);
}

template <typename Ring>
void check_stop(const Stop& how, bool to_guest) {
  Guest guest(options_for(how.packed, false));
  stop(guest, how, to_guest);
  const auto start = guest.make_ring<Ring>().resume(guest.options.ring.first);
  auto cursor = start;
  Octets before, frame;
  guest.copy_to(before);
  const Seen seen = to_guest ? receive<Ring>(guest, cursor, 500) : transmit<Ring>(guest, cursor, frame);
  BOOST_TEST(seen.count == 0);
  BOOST_TEST(seen.faults.count == 1);
  BOOST_TEST(to_string(seen.faults.last) == to_string(how.fault));
  BOOST_TEST(stops_the_ring(seen.faults.last));
  BOOST_TEST(cursor.next == start.next);
  BOOST_TEST(guest.is(before));
  // A driver that begins again is served.
  guest.driver().reset();
  const uint16_t good = post_good(guest, 1000, to_guest);
  cursor = guest.make_ring<Ring>().resume(guest.options.ring.first);
  const Seen again = to_guest ? receive<Ring>(guest, cursor, 500) : transmit<Ring>(guest, cursor, frame);
  BOOST_TEST(again.count == 1);
  BOOST_TEST(again.faults.count == 0);
  const auto used = take(guest);
  BOOST_TEST_REQUIRE(used.size() == 1u);
  BOOST_TEST(used[0].token == good);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(faults)

BOOST_DATA_TEST_CASE(a_buffer_to_transmit_that_cannot_be_followed_comes_back_and_the_next_one_works,
                     boost::unit_test::data::make(kWrong), wrong) {
  if (applies(wrong, false, false)) check_transmit<SplitRing>(wrong, false);
  if (applies(wrong, true, false)) check_transmit<PackedRing>(wrong, true);
}

BOOST_DATA_TEST_CASE(a_buffer_to_receive_that_cannot_be_followed_comes_back_and_the_frame_goes_into_the_next,
                     boost::unit_test::data::make(kWrong), wrong) {
  for (const bool mergeable : {false, true}) {
    if (applies(wrong, false, true)) check_receive<SplitRing>(wrong, false, mergeable);
    if (applies(wrong, true, true)) check_receive<PackedRing>(wrong, true, mergeable);
  }
}

BOOST_DATA_TEST_CASE(a_ring_without_a_next_buffer_stays_as_it_is_until_its_driver_begins_again,
                     boost::unit_test::data::make(kStops), how) {
  for (const bool to_guest : {false, true})
    if (how.packed)
      check_stop<PackedRing>(how, to_guest);
    else
      check_stop<SplitRing>(how, to_guest);
}

BOOST_AUTO_TEST_CASE(a_buffer_without_room_for_a_header_yields_a_frame_of_nothing_and_the_ring_goes_on) {
  for (const uint32_t length : {0, 1, 9, 11, 12}) {
    const Guest guest(options_for(false, false));
    guest.post_raw({{Guest::kData, length, 0}});
    auto cursor = guest.make_ring<SplitRing>().resume(0);
    Octets frame;
    BOOST_TEST(transmit<SplitRing>(guest, cursor, frame).count == 1);
    BOOST_TEST(frame.empty());  // a runt for the switch
    BOOST_TEST(take(guest).size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(buffers_that_do_not_suffice_are_kept_and_faults_among_them_are_named_once) {
  const Guest guest(options_for(false, false, true));
  guest.post_raw({{kNowhere, 100, kDescWrite}});
  post_good(guest, 100, true);
  auto cursor = guest.make_ring<SplitRing>().resume(0);
  BOOST_TEST(receive<SplitRing>(guest, cursor, 500).faults.count == 1);
  for (int i = 0; i < 3; ++i) {
    const Seen seen = receive<SplitRing>(guest, cursor, 500);
    BOOST_TEST(seen.count == 0);
    BOOST_TEST(seen.faults.count == 0);
  }
  BOOST_TEST(take(guest).size() == 1u);
  post_good(guest, 1000, true);
  BOOST_TEST(receive<SplitRing>(guest, cursor, 500).count == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
