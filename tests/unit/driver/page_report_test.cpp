// What a dirty log has to name.
#include "emu/driver/app/page_report.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "vdev/wire/virtio_features.hpp"

namespace testbed::driver {
namespace {

using wire::bit;
using wire::Feature;

constexpr uint64_t kUsed = 0x2ffffc,
                   kLog = 0x5000ffc;  // each across the end of a page; the log's in no memory

// A device whose receive ring is logged elsewhere, and a back-end that writes the whole of that ring.
struct Rig {
  explicit Rig(uint64_t features) {
    spec.places[0].used = kUsed;
    spec.places[0].log = kLog;
    memory = *GuestMemory::open({.regions = {{0, 16u << 20, 0}}});
    device = std::move(*NetDevice::create(*memory, spec, ""));
    BOOST_TEST_REQUIRE(device->configure(features, std::nullopt, true).has_value());
    BOOST_TEST_REQUIRE(memory->snapshot().has_value());
  }
  void write(uint64_t gpa) const { *memory->at(gpa, 1) ^= 1; }
  std::vector<uint64_t> written() const { return judge_pages(*device).written; }

  NetSpec spec{.size = 64};
  std::optional<GuestMemory> memory;
  std::unique_ptr<NetDevice> device;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(page_report)

BOOST_AUTO_TEST_CASE(a_used_ring_that_is_logged_elsewhere_has_its_pages_there) {
  const Rig rig(bit(Feature::VERSION_1));
  rig.write(kUsed);
  BOOST_TEST(rig.written() == std::vector<uint64_t>{kLog / kPage}, boost::test_tools::per_element());
  rig.write(kUsed + 4);  // on the next page
  rig.write(0x1000000 - 1);
  const std::vector<uint64_t> wanted{0xfff, kLog / kPage, kLog / kPage + 1};
  BOOST_TEST(rig.written() == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(of_a_packed_ring_it_is_the_descriptors_that_are_logged_elsewhere) {
  const Rig rig(bit(Feature::VERSION_1) | bit(Feature::RING_PACKED));
  rig.write(rig.device->layout().vrings[0].ring.descriptors + 8);
  BOOST_TEST(rig.written() == std::vector<uint64_t>{(kLog + 8) / kPage}, boost::test_tools::per_element());
  rig.write(kUsed);
  BOOST_TEST(rig.written().front() == kUsed / kPage);
}

BOOST_AUTO_TEST_CASE(a_ring_that_is_logged_where_it_lies_stays_there) {
  const Rig rig(bit(Feature::VERSION_1));
  const uint64_t used = rig.device->layout().vrings[1].ring.used;
  rig.write(used);
  BOOST_TEST(rig.written() == std::vector<uint64_t>{used / kPage}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
