// The memory a guest moves to: copied, compared, put in the source's place.
#include "emu/driver/memory/twin.hpp"

#include <boost/test/unit_test.hpp>

namespace testbed::driver {
namespace {

using Pages = std::vector<uint64_t>;

struct Rig {
  Rig() : spec{.regions = {{0x100000000, 1u << 20, 1u << 20}, {0, 1u << 20, 0}}} {}
  MemorySpec spec;
  GuestMemory source = *GuestMemory::open(spec);
  Twin twin = *Twin::create(source, spec);
  void put(uint64_t gpa, uint8_t value) const { source.put(source.at(gpa, 1), value); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(twin)

BOOST_AUTO_TEST_CASE(pages_nobody_touched_are_not_copied) {
  Rig rig;
  rig.put(0x5001, 7);
  rig.put(0x100000000, 8);
  const Pages pages = rig.twin.populated();
  BOOST_TEST(pages == (Pages{5, 256}), boost::test_tools::per_element());
  rig.twin.copy(pages);
  BOOST_TEST(rig.twin.differing(pages).empty());
}

BOOST_AUTO_TEST_CASE(a_page_that_changed_after_it_was_copied_differs) {
  Rig rig;
  rig.put(0x5001, 7);
  rig.twin.copy(rig.twin.populated());
  rig.put(0x5fff, 1);
  const Pages found = rig.twin.differing(rig.twin.populated());
  BOOST_TEST(found == Pages{5}, boost::test_tools::per_element());
  BOOST_TEST(rig.twin.guest_address(5) == 0x5000u);
  BOOST_TEST(rig.twin.guest_address(256) == 0x100000000u);
}

BOOST_AUTO_TEST_CASE(what_was_kept_tells_what_arrived_when_the_guest_writes_to_the_twin_already) {
  Rig rig;
  for (const uint64_t gpa : {0x5000, 0x6000, 0x7000}) rig.put(gpa, 7);
  BOOST_TEST(rig.twin.keep(Pages{5, 6}).has_value());
  rig.twin.copy(rig.twin.populated());
  rig.put(0x6001, 1);  // written and not copied
  rig.twin.exchange(rig.source);
  for (const uint64_t gpa : {0x5000, 0x6000, 0x6001}) rig.put(gpa, 9);  // the guest goes on
  const Pages found = rig.twin.arrived_differing(rig.twin.populated());
  BOOST_TEST(found == Pages{6}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(of_pages_that_are_not_kept_the_twin_itself_tells_what_arrived) {
  Rig rig;
  rig.put(0x5000, 7);
  rig.twin.copy(rig.twin.populated());
  rig.put(0x5fff, 1);
  rig.put(0x9000, 1);  // touched for the first time, and never copied
  rig.twin.exchange(rig.source);
  const Pages found = rig.twin.arrived_differing(rig.twin.populated());
  BOOST_TEST(found == (Pages{5, 9}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_page_is_kept_as_the_twin_has_it_whatever_the_source_becomes) {
  Rig rig;
  rig.put(0x5000, 7);
  BOOST_TEST(rig.twin.keep(rig.twin.holding(std::vector<ByteRange>{{0x5ff8, 16}})).has_value());
  rig.twin.copy(Pages{5, 6});
  BOOST_TEST(rig.twin.arrived_differing(Pages{5, 6}).empty());
  rig.put(0x6000, 1);
  BOOST_TEST(rig.twin.arrived_differing(Pages{5, 6}) == Pages{6}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_dirty_log_counts_guest_pages_and_what_lies_in_no_region_is_left_out) {
  const Rig rig;
  const Pages pages = rig.twin.from_guest(Pages{0x100001, 3, 0x300, 3});
  BOOST_TEST(pages == (Pages{3, 257}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_the_driver_writes_is_marked_while_somebody_wants_to_know) {
  Rig rig;
  rig.put(0, 1);
  rig.source.watch_writes(true);
  const std::vector<uint8_t> octets(3 * kPage, 1);
  rig.source.copy_in(rig.source.at(0x2fff, octets.size()), octets.data(), octets.size());
  rig.put(0x100000000, 1);
  BOOST_TEST(rig.source.take_written() == (Pages{2, 3, 4, 5, 256}), boost::test_tools::per_element());
  BOOST_TEST(rig.source.take_written().empty());
  rig.source.watch_writes(false);
  rig.put(0, 2);
  BOOST_TEST(rig.source.take_written().empty());
}

BOOST_AUTO_TEST_CASE(the_twin_takes_the_place_of_the_source_at_the_same_addresses_and_back) {
  Rig rig;
  uint8_t* where = rig.source.at(0x5000, 1);
  *where = 7;
  rig.twin.copy(rig.twin.populated());
  *where = 8;  // the twin has 7
  const int before = rig.source.fd();
  rig.twin.exchange(rig.source);
  BOOST_TEST(rig.source.at(0x5000, 1) == where);
  BOOST_TEST(*where == 7);
  BOOST_TEST(rig.source.fd() != before);
  BOOST_TEST(rig.twin.populated() == Pages{5}, boost::test_tools::per_element());
  rig.twin.exchange(rig.source);
  BOOST_TEST(*where == 8);
  BOOST_TEST(rig.source.fd() == before);
}

BOOST_AUTO_TEST_CASE(memory_that_is_filled_holds_something_everywhere_but_where_it_is_used) {
  const Rig rig;
  const std::vector<ByteRange> used{{0x1000, 100}, {0x100003ff0, 32}};
  fill_unused(rig.source, used);
  const Pages pages = rig.twin.populated();
  BOOST_TEST(pages.size() == 512u - 3);
  for (const uint64_t page : {1, 256 + 3, 256 + 4}) BOOST_TEST(!std::ranges::binary_search(pages, page));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
