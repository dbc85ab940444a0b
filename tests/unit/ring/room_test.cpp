// Receive buffers that do not hold a frame: does it help to wait for more of them?
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "pipe.hpp"

namespace testbed::ring::test {
namespace {

// Mergeable buffers of `octets` octets in chains of `parts` descriptors.
struct Offer {
  const char* name;
  bool packed;
  uint16_t size;
  uint16_t buffers, parts;
  uint32_t octets;
  DropReason reason;  // of a frame of 1500 octets
  friend std::ostream& operator<<(std::ostream& out, const Offer& o) {
    return out << (o.packed ? "packed, " : "split, ") << o.name;
  }
};

constexpr auto kBig = DropReason::too_big, kFull = DropReason::ring_full;
const Offer kOffers[] = {
    {"as many as a frame may take", false, 128, 64, 1, 20, kBig},
    {"one less", false, 128, 63, 1, 20, kFull},
    {"all the ring has", false, 4, 4, 1, 100, kBig},
    {"all but one", false, 4, 3, 1, 100, kFull},
    {"chains of all descriptors", false, 8, 2, 4, 100, kBig},
    {"chains that leave one descriptor", false, 8, 1, 7, 100, kFull},
    {"as many as a frame may take", true, 128, 64, 1, 20, kBig},
    {"one less", true, 128, 63, 1, 20, kFull},
    {"all the ring has", true, 5, 5, 1, 100, kBig},
    {"all but one", true, 5, 4, 1, 100, kFull},
    {"chains of all slots", true, 9, 3, 3, 100, kBig},
    {"chains that leave a slot", true, 10, 3, 3, 100, kFull},
    {"the longest chain", true, 128, 1, 64, 100, kBig},
    {"a chain too many for the log", true, 128, 22, 3, 20, kBig},
    {"chains for which the log has room", true, 128, 21, 3, 20, kFull},
};

template <typename Ring>
void check(const Offer& offer) {
  const Guest guest(
      {{.size = offer.size, .packed = offer.packed, .first = uint16_t(offer.packed ? 0x8000 : 0)}, 12, true});
  std::vector<driver::RawDescriptor> chain(offer.parts,
                                           {Guest::kData, offer.octets / offer.parts, wire::kDescWrite});
  chain.back().length += offer.octets % offer.parts;
  for (uint16_t i = 0; i < offer.buffers; ++i) guest.post_raw(chain);
  Made long_one(1500), short_one(14);
  Packet* const all[] = {&long_one.packet, &short_one.packet};
  const auto scratch = std::make_unique<Scratch>();
  const auto ring = guest.make_ring<Ring>();
  auto cursor = ring.resume(guest.options.ring.first);
  Faults faults;
  Sink<Ring> sink(ring, cursor, guest.terms, *scratch, guest.record());
  const auto outcome = sink.put(all, 2, faults);
  BOOST_TEST(outcome.sent == 0);
  BOOST_TEST((outcome.reason == offer.reason));
  // Only of a frame that is too big those behind it are still asked for.
  BOOST_TEST(outcome.more == (offer.reason == kBig));
  BOOST_TEST(faults.count == 0);
  std::array<driver::UsedChain, 64> used;
  BOOST_TEST(guest.driver().take(used) == 0);
  BOOST_TEST(sink.put(all + 1, 1, faults).sent == 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(room)

BOOST_DATA_TEST_CASE(a_frame_for_which_there_will_never_be_room_is_too_big_and_others_find_the_ring_full,
                     boost::unit_test::data::make(kOffers), offer) {
  if (offer.packed)
    check<PackedRing>(offer);
  else
    check<SplitRing>(offer);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
