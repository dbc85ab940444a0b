// The gate's own way into a front-end's dirty log.
#include "vdev/gate/dirty_log.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>

#include "core/base/fd.hpp"

using namespace testbed;
using gate::DirtyLog;

BOOST_AUTO_TEST_SUITE(dirty_log)

BOOST_AUTO_TEST_CASE(every_page_a_range_touches_is_marked_and_none_beyond_the_log) {
  Fd file(::memfd_create("log", 0));
  BOOST_REQUIRE_EQUAL(::ftruncate(file.get(), 8192), 0);
  auto log = DirtyLog::map(file.get(), {2, 4096});  // 16 pages, behind a page of something else
  BOOST_REQUIRE(log);
  (*log)->mark(0, 1);
  (*log)->mark(2 * 4096 - 1, 2);            // the last octet of page 1, the first of page 2
  (*log)->mark(15 * 4096, 4096);            // the last page
  (*log)->mark(16 * 4096, 4096);            // no bit
  (*log)->mark(~uint64_t{0} - 4095, 4096);  // nor here
  std::array<uint8_t, 3> bits{};
  BOOST_REQUIRE_EQUAL(::pread(file.get(), bits.data(), bits.size(), 4096), 3);
  BOOST_TEST((bits == std::array<uint8_t, 3>{0b111, 0b10000000, 0}));
  uint8_t before = 0;
  BOOST_REQUIRE_EQUAL(::pread(file.get(), &before, 1, 0), 1);
  BOOST_TEST(before == 0);
}

BOOST_AUTO_TEST_SUITE_END()
