// A driver that changes its descriptors while the device reads them: what comes out is made of values that
// were there, and nothing but the buffers is touched.
#include <sys/mman.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "pipe.hpp"

namespace testbed::ring::test {
namespace {

using driver::RawDescriptor;
using wire::kDescIndirect;
using wire::kDescNext;
using wire::kDescWrite;

constexpr uint16_t kSize = 16;
constexpr uint64_t kFirst = Guest::kData + 0x1000, kSecond = kFirst ^ 0x2000;  // two buffers, one bit apart
constexpr uint64_t kOutside = uint64_t{1} << 40;  // a bit that leads out of all memory
constexpr uint64_t kTable = Guest::kData + Guest::kDataRegion;
constexpr uint32_t kShort = 112, kLong = kShort ^ 0x600;  // octets of a buffer
constexpr auto kFor = std::chrono::milliseconds(150);

// Pages that nobody may touch on both sides of each region, where there is room for them.
void put_guards(const Guest& guest) {
  for (const auto& region : guest.memory.regions()) {
    std::byte* at = guest.map->at(region.gpa, 1);
    for (std::byte* page : {at - driver::kPage, at + region.size})
      ::mmap(page, driver::kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  }
}

// Turns bits of guest memory over until it is destroyed.
class Flipper {
 public:
  struct Flip {
    uint64_t gpa;
    uint64_t bits;  // of the 64-bit word there
  };
  Flipper(const Guest& guest, std::vector<Flip> flips) {
    for (const Flip& flip : flips)
      words_.emplace_back(reinterpret_cast<uint64_t*>(guest.memory.at(flip.gpa, 8)), flip.bits);
    thread_ = std::thread([this] { run(); });
  }
  ~Flipper() {
    stop_ = true;
    thread_.join();
  }

 private:
  void run() {
    for (uint64_t turn = 1; !stop_; turn = turn * 6364136223846793005u + 1442695040888963407u) {
      const auto& [word, bits] = words_[(turn >> 33) % words_.size()];
      std::atomic_ref(*word).fetch_xor(bits, std::memory_order_relaxed);
    }
  }
  std::vector<std::pair<uint64_t*, uint64_t>> words_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

GuestOptions options_for(bool packed) {
  return {{.size = kSize,
           .packed = packed,
           .indirect = true,
           .table_length = 4,
           .first = uint16_t(packed ? 0x8000 : 0)},
          12,
          true};
}

// In a descriptor's second word: the length, and the flags where the format has them.
constexpr uint64_t length_bits() {
  return kShort ^ kLong;
}
constexpr uint64_t flag_bits(bool packed, uint16_t flags) {
  return uint64_t{flags} << (packed ? 48 : 32);
}

struct Play {
  const char* name;
  bool chained;                         // buffers of two descriptors, of which one may be a table
  std::vector<uint64_t> address, word;  // bits that are turned over
};

std::vector<Flipper::Flip> flips(const Guest& guest, const Play& play) {
  std::vector<Flipper::Flip> all;
  const auto add = [&](uint64_t descriptor) {
    for (const uint64_t bits : play.address) all.push_back({descriptor, bits});
    for (const uint64_t bits : play.word) all.push_back({descriptor + 8, bits});
  };
  for (uint16_t slot = 0; slot < kSize; ++slot) add(guest.place.descriptors + 16ull * slot);
  if (play.chained)
    for (uint64_t entry = 0; entry < 4; ++entry) add(kTable + 16 * entry);
  return all;
}

// A ring full of buffers, as a driver leaves it.
void offer(const Guest& guest, const Play& play, uint16_t flags) {
  guest.driver().reset();
  for (uint64_t entry = 0; entry < 4; ++entry) {
    wire::SplitDesc one{kFirst, kShort, uint16_t(flags | (entry < 3 ? kDescNext : 0)), uint16_t(entry + 1)};
    if (guest.options.ring.packed) one = {kFirst, kShort, 0, flags};
    guest.write(kTable + 16 * entry, std::as_bytes(std::span(&one, 1)));
  }
  for (uint16_t i = 0; i < kSize / 2; ++i) {
    if (!play.chained)
      guest.post_raw({{kFirst, kShort, flags}});
    else if (i % 2 == 0)
      guest.post_raw({{kFirst, kShort, flags}, {kSecond, kShort, flags}});
    else
      guest.post_raw({{kTable, 64, kDescIndirect}});
  }
}

template <typename Ring>
uint64_t transmit(const Guest& guest, const Ring& ring, Scratch& scratch, const Play& play) {
  auto cursor = ring.resume(guest.options.ring.first);
  std::array<Packet, kBurst> packets;
  Faults faults;
  Source<Ring> source(ring, cursor, guest.terms, scratch, guest.record());
  const uint16_t count = source.take(packets.data(), faults);
  Octets frame;
  for (uint16_t i = 0; i < count; ++i) {
    frame.resize(packets[i].length);
    copy_frame(packets[i], frame.data(), packets[i].length);
    if (!play.chained)
      BOOST_TEST_REQUIRE((packets[i].length == kShort - 12 || packets[i].length == kLong - 12));
    // Every octet of the two buffers is an `a`, none other is.
    if (play.address.empty() || !play.chained)
      BOOST_REQUIRE(std::count(frame.begin(), frame.end(), std::byte('a')) == std::ssize(frame));
  }
  if (scratch.taken > 0) source.give_back();
  return count;
}

template <typename Ring>
uint64_t receive(const Guest& guest, const Ring& ring, Scratch& scratch) {
  auto cursor = ring.resume(guest.options.ring.first);
  Octets frame(300, std::byte('a'));
  Packet packet{.head = frame.data(),
                .payload = frame.data(),
                .length = 300,
                .head_length = kHeadBytes,
                .kind = PayloadKind::memory,
                .flags = 0};
  std::array<Packet*, 8> all;
  all.fill(&packet);
  Faults faults;
  return Sink<Ring>(ring, cursor, guest.terms, scratch, guest.record())
      .put(all.data(), all.size(), faults)
      .sent;
}

// All data but the two buffers holds a `c`.
void fill(const Guest& guest) {
  guest.write(Guest::kData, Octets(Guest::kDataSize, std::byte('c')));
  for (const uint64_t buffer : {kFirst, kSecond}) guest.write(buffer, Octets(kLong + kShort, std::byte('a')));
}
bool untouched(const Guest& guest) {
  Octets all = guest.read(Guest::kData, Guest::kDataSize);
  const auto blank = [&](uint64_t gpa, uint64_t length) {
    std::fill_n(all.begin() + static_cast<ptrdiff_t>(gpa - Guest::kData), length, std::byte('c'));
  };
  blank(kFirst, kLong);
  blank(kSecond, kLong);
  blank(kFirst + kLong, kShort);
  blank(kSecond + kLong, kShort);
  blank(kTable, 64 + (kShort ^ kLong));
  return std::count(all.begin(), all.end(), std::byte('c')) == std::ssize(all);
}

template <typename Ring>
void run(const Play& play, bool packed, bool to_guest) {
  const Guest guest(options_for(packed));
  put_guards(guest);
  fill(guest);
  const Ring ring = guest.make_ring<Ring>();
  const auto scratch = std::make_unique<Scratch>();
  uint64_t frames = 0;
  {
    const Flipper flipper(guest, flips(guest, play));
    const auto end = std::chrono::steady_clock::now() + kFor;
    for (int round = 0; round < 50 || std::chrono::steady_clock::now() < end; ++round) {
      offer(guest, play, to_guest ? kDescWrite : uint16_t{0});
      frames += to_guest ? receive(guest, ring, *scratch) : transmit(guest, ring, *scratch, play);
    }
  }
  BOOST_TEST(frames > 0u);
  BOOST_TEST(untouched(guest));
}

void run_all(bool packed, const Play& play) {
  for (const bool to_guest : {false, true})
    BOOST_TEST_CONTEXT(play.name << (to_guest ? " receive" : " transmit")) {
      if (packed)
        run<PackedRing>(play, packed, to_guest);
      else
        run<SplitRing>(play, packed, to_guest);
    }
}

std::vector<Play> plays(bool packed) {
  const uint16_t flags[] = {kDescNext, kDescIndirect, kDescWrite};
  Play wild{"everything of chains and tables", true, {kOutside}, {length_bits()}};
  for (const uint16_t flag : flags) wild.word.push_back(flag_bits(packed, flag));
  if (!packed) wild.word.push_back(uint64_t{0xfff8} << 48);  // next, out of every table
  return {{"addresses and lengths", false, {kFirst ^ kSecond}, {length_bits()}},
          {"out of memory and back", false, {kOutside}, {length_bits()}},
          wild};
}

}  // namespace

// What it does is a data race on purpose: there is nothing for the thread sanitizer to say.
#if defined(__SANITIZE_THREAD__)
BOOST_AUTO_TEST_SUITE(double_fetch, *boost::unit_test::disabled())
#else
BOOST_AUTO_TEST_SUITE(double_fetch)
#endif

BOOST_AUTO_TEST_CASE(split_descriptors_that_change_while_they_are_read_yield_what_was_there) {
  for (const Play& play : plays(false)) run_all(false, play);
}

BOOST_AUTO_TEST_CASE(packed_descriptors_that_change_while_they_are_read_yield_what_was_there) {
  for (const Play& play : plays(true)) run_all(true, play);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
