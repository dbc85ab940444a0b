#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "emu/driver/memory/arena.hpp"
#include "emu/driver/memory/dirty_log.hpp"
#include "emu/driver/memory/page_diff.hpp"
#include "emu/driver/memory/state_file.hpp"
#include "tests/unit/base/scratch.hpp"

namespace testbed::driver {

std::ostream& operator<<(std::ostream& out, const ByteRange& range) {
  return out << range.address << "+" << range.length;
}

namespace {

MemorySpec two_regions() {
  return {.regions = {{0, 1u << 20, 0}, {0x100000000, 1u << 20, 1u << 20}}};
}

// Another mapping of the same file: what a backend has.
struct Backend {
  explicit Backend(const GuestMemory& memory)
      : base(static_cast<uint8_t*>(
            ::mmap(nullptr, 2u << 20, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd(), 0))) {}
  ~Backend() { ::munmap(base, 2u << 20); }
  uint8_t* base;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(memory)

BOOST_AUTO_TEST_CASE(an_address_is_found_only_when_one_region_holds_all_of_it) {
  const auto memory = *GuestMemory::open(two_regions());
  BOOST_TEST(memory.at(0, 1u << 20) != nullptr);
  BOOST_TEST(memory.at(0, (1u << 20) + 1) == nullptr);
  BOOST_TEST(memory.at((1u << 20) - 1, 2) == nullptr);
  BOOST_TEST(memory.at(0x100000000, 1) == memory.at(0, 1) + (1u << 20));
  BOOST_TEST(memory.at(UINT64_MAX, 2) == nullptr);
  BOOST_TEST(memory.top() == 0x100000000 + (1u << 20));
}

BOOST_AUTO_TEST_CASE(regions_that_overlap_or_are_no_whole_pages_are_refused) {
  BOOST_TEST(!GuestMemory::open({.regions = {}}));
  BOOST_TEST(!GuestMemory::open({.regions = {{0, 4097, 0}}}));
  BOOST_TEST(!GuestMemory::open({.regions = {{0, 8192, 0}, {4096, 4096, 8192}}}));
  BOOST_TEST(!GuestMemory::open({.regions = {{UINT64_MAX - 4095, 8192, 0}}}));
}

BOOST_AUTO_TEST_CASE(a_sealed_memory_can_not_be_shrunk_by_anybody) {
  auto spec = two_regions();
  spec.sealed = true;
  const auto memory = *GuestMemory::open(spec);
  BOOST_TEST(::ftruncate(memory.fd(), 4096) == -1);
}

BOOST_AUTO_TEST_CASE(pages_in_a_named_file_or_an_inherited_descriptor_are_there_for_the_next_process) {
  const Scratch scratch;
  auto spec = two_regions();
  spec.file = scratch.file("guest.memory");
  const Fd handed_over(::memfd_create("handed-over", 0));
  auto inherited = two_regions();
  inherited.inherited = handed_over.get();
  for (const MemorySpec& each : {spec, inherited}) {
    { *GuestMemory::open(each)->at(0x100000005, 1) = 42; }
    BOOST_TEST(*GuestMemory::open(each)->at(0x100000005, 1) == 42);
  }
}

BOOST_AUTO_TEST_CASE(what_a_backend_wrote_is_told_from_what_the_driver_wrote) {
  auto memory = *GuestMemory::open(two_regions());
  Backend backend(memory);
  backend.base[100] = 1;
  BOOST_TEST_REQUIRE(memory.snapshot().has_value());
  BOOST_TEST(changed_bytes(memory).empty());
  memory.put(reinterpret_cast<uint32_t*>(memory.at(4096, 4)), 0x01020304u);
  memory.copy_in(memory.at(8192, 3), "abc", 3);
  BOOST_TEST(changed_bytes(memory).empty());
  backend.base[4097] = 9;                            // over the driver's own
  backend.base[0xffff] = backend.base[0x10000] = 7;  // on both sides of a page's end
  backend.base[(1u << 20) + 5] = 1;                  // a page of the other region that was a hole
  const std::vector<ByteRange> expected{{4097, 1}, {0xffff, 1}, {0x10000, 1}, {0x100000005, 1}};
  BOOST_TEST(changed_bytes(memory) == expected, boost::test_tools::per_element());
  const std::vector<uint64_t> pages{1, 15, 16, 0x100000};
  BOOST_TEST(pages_of(expected) == pages, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_hole_punched_by_a_backend_is_a_change) {
  auto memory = *GuestMemory::open(two_regions());
  *memory.at(5000, 1) = 3;
  BOOST_TEST_REQUIRE(memory.snapshot().has_value());
  BOOST_TEST_REQUIRE(::fallocate(memory.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096) == 0);
  const std::vector<ByteRange> expected{{5000, 1}};
  BOOST_TEST(changed_bytes(memory) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(ranges_of_bytes_join_split_and_answer_like_a_set_of_numbers) {
  std::mt19937 random(5);
  ByteRanges ranges;
  std::set<uint64_t> model;
  for (int step = 0; step < 4000; ++step) {
    const uint64_t address = random() % 200, length = random() % 30;
    const bool add = random() % 3 != 0;
    add ? ranges.add(address, length) : ranges.remove(address, length);
    for (uint64_t i = address; i < address + length; ++i) add ? (void)model.insert(i) : (void)model.erase(i);
    const uint64_t probe = random() % 240;
    BOOST_TEST_REQUIRE(ranges.contains(probe) == model.contains(probe));
    uint64_t sum = 0;
    for (const ByteRange& range : ranges.all()) sum += range.length;
    BOOST_TEST_REQUIRE(sum == model.size());
  }
}

BOOST_AUTO_TEST_CASE(an_arena_hands_out_the_same_addresses_each_time_and_nothing_twice) {
  const std::vector<Region> regions{{0, 8192, 0}, {0x10000, 8192, 8192}};
  Arena first(regions), second(regions);
  for (int i = 0; i < 10; ++i) BOOST_TEST(*first.take(1000, 64, i) == *second.take(1000, 64, i));
  BOOST_TEST(!first.take(8192, 1).has_value());
  BOOST_TEST(*Arena(regions).take(8192, 4096, 1) == 0x10000u);
}

BOOST_AUTO_TEST_CASE(the_log_reads_pages_by_the_formula_of_the_specification_from_its_offset_on) {
  auto log = *DirtyLog::create(64u << 20, 4096);
  BOOST_TEST(log.size() == (64u << 20) / 4096 / 8);
  auto* file = static_cast<uint8_t*>(::mmap(nullptr, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, log.fd(), 0));
  for (const uint64_t page : {0, 7, 8, 1000, 16383})
    file[4096 + page / 8] |= static_cast<uint8_t>(1u << page % 8);
  const std::vector<uint64_t> expected{0, 7, 8, 1000, 16383};
  BOOST_TEST(log.peek() == expected, boost::test_tools::per_element());
  BOOST_TEST(log.take() == expected, boost::test_tools::per_element());
  BOOST_TEST(log.take().empty());
  BOOST_TEST(!log.strayed());
  file[4095] = 1;
  BOOST_TEST(log.strayed());
  file[4095] = 0;
  file[4096 + log.size()] = 1;
  BOOST_TEST(log.strayed());
  ::munmap(file, 16384);
}

BOOST_AUTO_TEST_CASE(no_mark_is_lost_while_the_log_is_being_cleared) {
  auto log = *DirtyLog::create(1u << 20, 0);
  auto* octets =
      static_cast<uint8_t*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, log.fd(), 0));
  constexpr int kMarks = 100'000;
  std::atomic<bool> done = false;
  std::thread backend([&] {
    for (int i = 0; i < kMarks; ++i) {  // marks a page, and the next only when that one was taken
      std::atomic_ref octet(octets[i % 32]);
      octet.fetch_or(1);
      while (octet.load() & 1) std::this_thread::yield();
    }
    done = true;
  });
  size_t taken = 0;
  while (!done) taken += log.take().size();
  backend.join();
  BOOST_TEST(taken == static_cast<size_t>(kMarks));
  ::munmap(octets, 4096);
}

BOOST_AUTO_TEST_CASE(a_state_file_of_another_size_begins_anew) {
  const Scratch scratch;
  const std::string file = scratch.file("state");
  { *map_state(file, 4096)->base() = 5; }
  { BOOST_TEST(*map_state(file, 4096)->base() == 5); }
  { BOOST_TEST(*map_state(file, 8192)->base() == 0); }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
