// Guest memory as a table of regions says: which address is where, and which is nowhere.
#include "vdev/ring/guest_map.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "vdev/ring/place.hpp"

namespace testbed::ring::test {
namespace {

// Regions of one file whose octets say where in it they are.
struct Mapped {
  explicit Mapped(const std::vector<wire::MemoryRegion>& regions) : file(::memfd_create("map", MFD_CLOEXEC)) {
    std::vector<uint16_t> octets(kFile / 2);
    for (size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<uint16_t>(i);
    BOOST_REQUIRE_EQUAL(::pwrite(file.get(), octets.data(), kFile, 0), kFile);
    std::vector<gate::GuestMemory::Region> table;
    for (const auto& region : regions) table.push_back({region, Fd(::dup(file.get()))});
    auto mapped = GuestMap::map(table);
    BOOST_REQUIRE(mapped.has_value());
    map = *mapped;
  }
  // Where in the file it is; -1: nowhere.
  long offset(uint64_t guest, uint32_t length = 2) const {
    const std::byte* at = map->at(guest, length);
    if (at == nullptr) return -1;
    uint16_t value;
    std::memcpy(&value, at, sizeof value);
    return 2l * value;
  }
  static constexpr ssize_t kFile = 0x10000;
  Fd file;
  std::shared_ptr<const GuestMap> map;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_map)

BOOST_AUTO_TEST_CASE(page_0_and_the_last_octet_of_a_region_are_memory_and_the_next_one_is_not) {
  const Mapped m({{0, 0x2000, 0x7f0000000000, 0}});
  BOOST_TEST(m.offset(0) == 0);
  BOOST_TEST(m.offset(0x1ffe) == 0x1ffe);
  BOOST_TEST(m.offset(0, 0x2000) == 0);
  BOOST_TEST(m.offset(0, 0x2001) == -1);
  BOOST_TEST(m.offset(0x1fff, 2) == -1);
  BOOST_TEST(m.offset(0x2000, 1) == -1);
  BOOST_TEST(m.offset(0x2000, 0) == -1);
}

BOOST_AUTO_TEST_CASE(no_length_leads_around_the_address_space) {
  const uint64_t top = ~uint64_t{0} - 0xfff;  // a region may end with it
  const Mapped m({{top - 0x1000, 0x1000, 0x1000, 0}, {0x1000, 0x1000, 0x3000, 0x1000}});
  BOOST_TEST(m.offset(top - 2) == 0xffe);
  for (const uint32_t length : {3u, 0x1000u, 0xffffffffu}) BOOST_TEST(m.offset(top - 2, length) == -1);
  BOOST_TEST(m.offset(~uint64_t{0}, 2) == -1);
  BOOST_TEST(m.offset(0x1000, 0xffffffff) == -1);
  BOOST_TEST(m.map->at_user(0x1000, ~uint64_t{0}) == nullptr);
  BOOST_TEST(m.map->at_user(~uint64_t{0}, 2) == nullptr);
}

BOOST_AUTO_TEST_CASE(regions_need_not_begin_or_end_with_pages_of_anything) {
  const Mapped m({{0x10002, 0x1006, 0x555500000020, 0x1234}, {0x20000, 0x400, 0x555500010000, 0x7000}});
  BOOST_TEST(m.offset(0x10002) == 0x1234);
  BOOST_TEST(m.offset(0x11006) == 0x2238);
  BOOST_TEST(m.offset(0x10001) == -1);
  BOOST_TEST(m.offset(0x11007) == -1);
  BOOST_TEST(m.offset(0x203fe) == 0x73fe);
  BOOST_TEST(m.map->at_user(0x555500000020, 0x1006) == m.map->at(0x10002, 1));
  BOOST_TEST(m.map->at_user(0x555500000020, 0x1007) == nullptr);
  BOOST_TEST((m.map->guest_of_user(0x555500001025) == std::optional<uint64_t>(0x11007)));
  BOOST_TEST(!m.map->guest_of_user(0x555500001026).has_value());
}

BOOST_AUTO_TEST_CASE(neighbours_for_the_guest_are_parts_of_their_own_whatever_lies_between_them_in_the_file) {
  const Mapped m(
      {{0x1000, 0x1000, 0x1000, 0x8000}, {0x2000, 0x3000, 0x9000, 0x1000}, {0x5000, 0x1000, 0x5000, 0}});
  BOOST_TEST(m.offset(0x1ffe, 4) == -1);  // not in one piece
  SegmentPool pool;
  BOOST_TEST((append(*m.map, 0x1ff0, 0x3020, pool) == Fault::none));
  BOOST_TEST_REQUIRE(pool.used() == 3u);
  const uint64_t guest[] = {0x1ff0, 0x2000, 0x5000};
  const uint32_t lengths[] = {0x10, 0x3000, 0x10};
  for (uint32_t i = 0; i < 3; ++i) {
    BOOST_TEST(pool.from(i)->guest == guest[i]);
    BOOST_TEST(pool.from(i)->length == lengths[i]);
    BOOST_TEST(pool.from(i)->at == m.map->at(guest[i], 1));
  }
  BOOST_TEST((append(*m.map, 0x5ff0, 0x11, pool) == Fault::address));
  BOOST_TEST((append(*m.map, 0x6000, 0, pool) == Fault::none));  // nothing is nowhere
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
