// The dirty log of a session: which log, from when to when, and what the gate wrote into a ring that starts.
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "session_rig.hpp"

namespace testbed::ring::test {
namespace {

using Pages = std::vector<uint64_t>;
const auto kFormats = boost::unit_test::data::make({false, true});  // packed

uint64_t page(uint64_t gpa) {
  return gpa / driver::kPage;
}
uint64_t logging_for(bool packed) {
  return features_for(packed) | Feature::LOG_ALL;
}

Fd make_log() {
  Fd log(::memfd_create("log", MFD_CLOEXEC));
  BOOST_REQUIRE(::ftruncate(log.get(), Guest::kLogOctets) == 0);
  return log;
}
bool is_empty(const Fd& log) {
  Octets bits(Guest::kLogOctets);
  BOOST_REQUIRE_EQUAL(::pread(log.get(), bits.data(), bits.size(), 0), std::ssize(bits));
  return std::count(bits.begin(), bits.end(), std::byte{0}) == std::ssize(bits);
}

// The switch dies with a burst in hand, another one is connected to, and the front-end logs from the
// beginning.
void start_after_a_kill(SessionRig& rig, Peer& peer, uint64_t features, bool log_first) {
  rig.start(peer.guest, kTransmitQueue, features & ~bit(Feature::LOG_ALL));
  for (int i = 0; i < 8; ++i) peer.send(60);
  BOOST_TEST_REQUIRE(rig.port.receive_and_die(kTransmitQueue) == 8);
  rig.hang_up();
  peer.guest.take_dirty();
  rig.connect();
  rig.negotiate_protocol();
  rig.negotiate(features);
  rig.set_memory(peer.guest);
  if (log_first) rig.set_log(peer.guest.log_fd());
  rig.place(peer.guest, kTransmitQueue);
  rig.kick(kTransmitQueue);
  if (!log_first) {
    BOOST_TEST(peer.guest.take_dirty().empty());
    rig.set_log(peer.guest.log_fd());
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(session_log)

BOOST_DATA_TEST_CASE(what_a_start_gives_back_is_logged_also_if_the_log_comes_later,
                     kFormats* boost::unit_test::data::make({false, true}), packed, log_first) {
  SessionRig rig;
  rig.negotiate_protocol();
  // Eight buffers whose entries in the ring lie on both sides of a page's end: 8 octets each behind the 4 of
  // the index, or 16.
  Peer peer({.size = 1024, .packed = packed, .first = uint16_t(packed ? 0x8000 | 252 : 506)}, true);
  start_after_a_kill(rig, peer, logging_for(packed), log_first);
  const uint64_t ring = page(packed ? peer.guest.place.descriptors : peer.guest.place.used);
  Pages expected{ring, ring + 1};
  // The event area; and the entries once more where the front-end says, which is there.
  const uint64_t event = page(peer.guest.place.used);
  if (packed) expected.insert(expected.end(), {event, event + 1});
  BOOST_TEST(peer.guest.take_dirty() == expected, boost::test_tools::per_element());
  BOOST_TEST(peer.reap() == 8);
}

BOOST_DATA_TEST_CASE(a_start_without_logging_is_not_logged, kFormats, packed) {
  SessionRig rig;
  rig.negotiate_protocol();
  Peer peer({.size = 1024, .packed = packed, .first = uint16_t(packed ? 0x8000 : 0)}, true);
  start_after_a_kill(rig, peer, features_for(packed), true);
  BOOST_TEST(peer.guest.take_dirty().empty());
  BOOST_TEST(peer.reap() == 8);
  // Nor is it later, when logging begins.
  BOOST_TEST(rig.say(Request::SET_FEATURES, logging_for(packed)) == 0u);
  rig.set_log(peer.guest.log_fd());
  BOOST_TEST(peer.guest.take_dirty().empty());
}

BOOST_DATA_TEST_CASE(pages_are_marked_from_the_feature_on_until_it_goes_and_in_the_newest_log, kFormats,
                     packed) {
  SessionRig rig;
  rig.negotiate_protocol();
  Peer peer(packed, true);
  rig.start(peer.guest, kReceiveQueue, features_for(packed));
  rig.set_log(peer.guest.log_fd());
  const auto pass = [&] {
    peer.offer();
    BOOST_TEST_REQUIRE(rig.port.transmit(kReceiveQueue, 100));
    BOOST_TEST_REQUIRE(peer.reap() == 1);
  };
  pass();
  BOOST_TEST(peer.guest.take_dirty().empty());
  BOOST_TEST(rig.say(Request::SET_FEATURES, logging_for(packed)) == 0u);
  pass();
  BOOST_TEST(!peer.guest.take_dirty().empty());
  const Fd other = make_log();
  rig.set_log(other.get());
  pass();
  BOOST_TEST(peer.guest.take_dirty().empty());
  BOOST_TEST(!is_empty(other));
  rig.set_log(peer.guest.log_fd());
  BOOST_TEST(rig.say(Request::SET_FEATURES, features_for(packed)) == 0u);
  pass();
  BOOST_TEST(peer.guest.take_dirty().empty());
}

BOOST_AUTO_TEST_CASE(a_split_ring_is_logged_where_the_front_end_says_which_need_not_be_memory) {
  SessionRig rig;
  rig.negotiate_protocol();
  Peer peer(false, true);
  rig.start(peer.guest, kReceiveQueue, logging_for(false));
  rig.set_log(peer.guest.log_fd());
  const auto place_log = [&](uint32_t flags, uint64_t log) {
    wire::VringAddr address = peer.guest.address;
    address.index = kReceiveQueue;
    address.flags = flags;
    address.log = log;
    BOOST_TEST_REQUIRE(rig.say(Request::SET_VRING_ADDR, address) == 0u);
  };
  const auto dirty_after_a_frame = [&](uint64_t buffer) {
    peer.guest.take_dirty();
    peer.guest.post_raw({{buffer, 200, wire::kDescWrite}});
    BOOST_TEST_REQUIRE(rig.port.transmit(kReceiveQueue, 100));
    return peer.guest.take_dirty();
  };
  const uint64_t nowhere = 0x18000000;  // within the log
  place_log(1, nowhere);
  const uint64_t data = page(Guest::kData);
  BOOST_TEST((dirty_after_a_frame(Guest::kData) == Pages{data, page(nowhere)}));
  // The index in one page, the entry in the next.
  place_log(1, nowhere + driver::kPage - 8);
  BOOST_TEST((dirty_after_a_frame(Guest::kData) == Pages{data, page(nowhere), page(nowhere) + 1}));
  place_log(0, nowhere);
  BOOST_TEST((dirty_after_a_frame(Guest::kData) == Pages{data}));
  // Behind all that the log has.
  place_log(1, ~uint64_t{0} - 100);
  BOOST_TEST((dirty_after_a_frame(Guest::kData) == Pages{data}));
}

BOOST_DATA_TEST_CASE(the_last_octet_of_a_region_and_both_sides_of_a_border_are_marked, kFormats, packed) {
  SessionRig rig;
  rig.negotiate_protocol();
  const Peer peer(packed, true);
  rig.start(peer.guest, kReceiveQueue, logging_for(packed));
  rig.set_log(peer.guest.log_fd());
  const auto marked = [&](uint64_t buffer, uint64_t last) {
    peer.guest.take_dirty();
    peer.guest.post_raw({{buffer, 112, wire::kDescWrite}});
    BOOST_TEST_REQUIRE(rig.port.transmit(kReceiveQueue, 100));
    const Pages pages = peer.guest.take_dirty();
    return std::count(pages.begin(), pages.end(), page(last)) == 1 &&
           std::count(pages.begin(), pages.end(), page(buffer)) == 1 &&
           std::count(pages.begin(), pages.end(), page(last) + 1) == 0;
  };
  const uint64_t end = Guest::kData + Guest::kDataSize, border = Guest::kData + Guest::kDataRegion;
  BOOST_TEST(marked(end - 112, end - 1));
  BOOST_TEST(
      marked(Guest::kData + driver::kPage - 111, Guest::kData + driver::kPage));  // one octet of a page
  BOOST_TEST(marked(border - 111, border));                                       // or of a region
  BOOST_TEST(marked(border - 112, border - 1));
}

BOOST_AUTO_TEST_CASE(a_log_that_begins_within_its_file_leaves_the_rest_of_it_alone) {
  SessionRig rig;
  rig.negotiate_protocol();
  Peer peer(false, true);
  rig.start(peer.guest, kReceiveQueue, logging_for(false));
  const Fd file(::memfd_create("log", MFD_CLOEXEC));
  BOOST_REQUIRE(::ftruncate(file.get(), 3 * Guest::kLogOctets) == 0);
  rig.set_log(file.get(), {Guest::kLogOctets, Guest::kLogOctets});
  peer.offer();
  BOOST_TEST(rig.port.transmit(kReceiveQueue, 100));
  Octets all(3 * Guest::kLogOctets);
  BOOST_REQUIRE_EQUAL(::pread(file.get(), all.data(), all.size(), 0), std::ssize(all));
  const auto part = [&](size_t i) {
    const auto from = all.begin() + static_cast<ptrdiff_t>(i * Guest::kLogOctets);
    return std::count(from, from + Guest::kLogOctets, std::byte{0});
  };
  BOOST_TEST(part(0) == std::ptrdiff_t{Guest::kLogOctets});
  BOOST_TEST(part(1) < std::ptrdiff_t{Guest::kLogOctets});
  BOOST_TEST(part(2) == std::ptrdiff_t{Guest::kLogOctets});
}

// Nobody's loss but its own.
BOOST_DATA_TEST_CASE(a_log_in_the_memory_that_it_is_of_hurts_no_one_else, kFormats, packed) {
  SessionRig rig;
  rig.negotiate_protocol();
  Peer peer(packed, true);
  rig.start(peer.guest, kReceiveQueue, logging_for(packed));
  rig.set_log(peer.guest.memory.fd());  // from the beginning of the file: a region of the data
  for (int i = 0; i < 100; ++i) {
    peer.guest.post_raw({{Guest::kData + 4096u * (i % 20), 1600, wire::kDescWrite}});
    BOOST_TEST_REQUIRE(rig.port.transmit(kReceiveQueue, 1500));
    std::array<driver::UsedChain, 4> used;
    BOOST_TEST_REQUIRE(peer.guest.driver().take(used) == 1);
  }
}

BOOST_DATA_TEST_CASE(nothing_is_marked_after_get_vring_base, kFormats, packed) {
  SessionRig rig;
  rig.negotiate_protocol();
  Peer peer(packed, true);
  rig.start(peer.guest, kTransmitQueue, logging_for(packed));
  rig.set_log(peer.guest.log_fd());
  peer.send(60);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);
  rig.stop(kTransmitQueue);
  peer.guest.take_dirty();
  peer.send(60);
  rig.set_memory(peer.guest);
  rig.enable(kTransmitQueue, false);
  BOOST_TEST(rig.port.receive(kTransmitQueue).empty());
  BOOST_TEST(peer.guest.take_dirty().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
