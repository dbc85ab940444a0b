// What a session's messages make of its virtqueues, message by message.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "session_rig.hpp"

namespace testbed::ring::test {
namespace {

const auto kFormats = boost::unit_test::data::make({false, true});  // packed

bool called(int fd) {
  eventfd_t count;
  return ::eventfd_read(fd, &count) == 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(session)

BOOST_FIXTURE_TEST_CASE(questions_are_answered_with_what_the_port_can, SessionRig) {
  BOOST_TEST(ask(Request::GET_FEATURES) == ~uint64_t{0});
  BOOST_TEST(ask(Request::GET_PROTOCOL_FEATURES) == gate::kProtocolFeatures);
  BOOST_TEST(ask(Request::GET_QUEUE_NUM) == 2u);
  BOOST_TEST(say(Request::SET_PROTOCOL_FEATURES, gate::kProtocolFeatures) == 0u);
  BOOST_TEST(say(Request::SET_STATUS, uint64_t{11}) == 0u);
  BOOST_TEST(ask(Request::GET_STATUS) == 11u);
  BOOST_TEST(port.published == 0);
}

BOOST_DATA_TEST_CASE(a_ring_is_walked_from_its_kick_and_enabling_on_and_not_before, kFormats, packed) {
  SessionRig rig;
  Peer peer(packed);
  rig.negotiate(features_for(packed));
  rig.set_memory(peer.guest);
  rig.place(peer.guest, kTransmitQueue);
  peer.send(100, 5);
  Octets before;
  peer.guest.copy_to(before);
  BOOST_TEST(!rig.port.view);
  BOOST_TEST(peer.guest.is(before));  // stopped: not an octet
  rig.kick(kTransmitQueue);
  BOOST_TEST(!rig.port.walked(kTransmitQueue));
  rig.enable(kTransmitQueue);
  const auto frames = rig.port.receive(kTransmitQueue);
  BOOST_TEST_REQUIRE(frames.size() == 1u);
  BOOST_TEST((frames[0] == made_frame(100, 5)));
  BOOST_TEST(peer.reap() == 1);
}

BOOST_DATA_TEST_CASE(without_protocol_features_a_kick_enables_and_a_stop_disables, kFormats, packed) {
  SessionRig rig;
  Peer peer(packed);
  rig.start(peer.guest, kReceiveQueue, features_for(packed) & ~bit(Feature::PROTOCOL_FEATURES));
  peer.offer();
  BOOST_TEST((rig.port.view->outlets == std::vector<uint16_t>{0}));
  BOOST_TEST(rig.port.transmit(kReceiveQueue, 100));
  rig.stop(kReceiveQueue);
  BOOST_TEST(!rig.port.view);
}

BOOST_AUTO_TEST_CASE(features_say_how_long_the_header_is_and_what_may_be_left_unfinished) {
  struct Expected {
    uint64_t features;
    uint16_t header;
    bool mergeable, gives, takes;
  };
  const uint64_t gives = Feature::NET_CSUM | Feature::NET_HOST_TSO4 | Feature::NET_HOST_TSO6;
  const uint64_t takes = Feature::NET_GUEST_CSUM | Feature::NET_GUEST_TSO4 | Feature::NET_GUEST_TSO6;
  for (const Expected& e : {Expected{0, 10, false, false, false},
                            {bit(Feature::VERSION_1), 12, false, false, false},
                            {bit(Feature::NET_MRG_RXBUF), 12, true, false, false},
                            {bit(Feature::RING_PACKED), 12, false, false, false},
                            {gives, 10, false, true, false},
                            {takes, 10, false, false, true}}) {
    SessionRig rig;
    const Peer peer((e.features & bit(Feature::RING_PACKED)) != 0);
    rig.start(peer.guest, kTransmitQueue, e.features);
    const Terms& terms = rig.port.view->terms;
    BOOST_TEST(terms.header == e.header);
    BOOST_TEST(terms.mergeable == e.mergeable);
    BOOST_TEST(
        (terms.gives.checksum == e.gives && terms.gives.tcp4 == e.gives && terms.gives.tcp6 == e.gives));
    BOOST_TEST(
        (terms.takes.checksum == e.takes && terms.takes.tcp4 == e.takes && terms.takes.tcp6 == e.takes));
  }
}

BOOST_AUTO_TEST_CASE(other_features_hold_for_the_first_packet_of_the_next_start) {
  SessionRig rig;
  Peer peer(false);
  rig.start(peer.guest, kReceiveQueue, features_for(false) | Feature::NET_MRG_RXBUF);
  rig.stop(kReceiveQueue);
  // The driver begins anew, with a shorter header.
  peer.guest.driver().reset();
  rig.start(peer.guest, kReceiveQueue, 0);
  BOOST_TEST(!rig.port.view->terms.mergeable);
  peer.guest.post_raw({{Guest::kData, 110, wire::kDescWrite}});
  BOOST_TEST(rig.port.transmit(kReceiveQueue, 100));
  BOOST_TEST((peer.guest.read(Guest::kData + 10, 100) == made_frame(100, 3)));
}

BOOST_DATA_TEST_CASE(get_vring_base_says_where_the_ring_stopped_and_is_final, kFormats, packed) {
  SessionRig rig;
  Peer peer(packed);
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  for (int i = 0; i < 5; ++i) peer.send(60);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 5u);
  BOOST_TEST(peer.reap() == 5);
  const uint32_t position = packed ? 0x80058005u : 5u;
  BOOST_TEST(rig.stop(kTransmitQueue) == position);
  BOOST_TEST(!rig.port.view);
  BOOST_TEST(rig.port.walks[kTransmitQueue].taken.test() == false);
  peer.send(60);
  Octets before;
  peer.guest.copy_to(before);
  BOOST_TEST(rig.port.receive(kTransmitQueue).empty());
  rig.enable(kTransmitQueue, false);
  rig.enable(kTransmitQueue);
  BOOST_TEST(rig.port.receive(kTransmitQueue).empty());
  BOOST_TEST(peer.guest.is(before));
  BOOST_TEST(rig.stop(kTransmitQueue) == (packed ? 0x8005u : 5u));  // stopped already
}

BOOST_DATA_TEST_CASE(a_ring_that_starts_again_goes_on_where_it_stopped, kFormats, packed) {
  SessionRig rig;
  Peer peer(packed);
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  for (int lap = 0; lap < 10; ++lap) {
    for (int i = 0; i < 3; ++i) peer.send(60, 100u * lap + i);
    const auto frames = rig.port.receive(kTransmitQueue);
    BOOST_TEST_REQUIRE(frames.size() == 3u);
    BOOST_TEST((frames[2] == made_frame(60, 100u * lap + 2)));
    BOOST_TEST(peer.reap() == 3);
    const uint32_t base = rig.stop(kTransmitQueue);
    rig.place(peer.guest, kTransmitQueue, base);
    rig.kick(kTransmitQueue);
  }
}

BOOST_DATA_TEST_CASE(another_call_or_kick_descriptor_is_no_start, kFormats, packed) {
  SessionRig rig;
  Peer peer(packed);
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  peer.send(60);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);
  const uint64_t first_call = rig.port.lane(kTransmitQueue).call->get();
  const Fd other(::eventfd(0, EFD_NONBLOCK));
  BOOST_TEST(rig.say(Request::SET_VRING_CALL, uint64_t{kTransmitQueue}, {other.get()}) == 0u);
  BOOST_TEST(rig.say(Request::SET_VRING_KICK, uint64_t{kTransmitQueue}, {other.get()}) == 0u);
  const Lane& lane = rig.port.lane(kTransmitQueue);
  ::eventfd_write(lane.call->get(), 1);
  BOOST_TEST(called(other.get()));
  BOOST_TEST(!called(rig.call_fd.get()));
  ::eventfd_write(rig.kick_fd.get(), 1);
  BOOST_TEST(!called(lane.kick->get()));
  // Closed, unless the number was used again.
  BOOST_TEST((::fcntl(static_cast<int>(first_call), F_GETFD) < 0 ||
              lane.call->get() == static_cast<int>(first_call) ||
              lane.kick->get() == static_cast<int>(first_call)));
  peer.send(60);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);  // from where it was
  BOOST_TEST(rig.say(Request::SET_VRING_CALL, wire::kVringNoFd | kTransmitQueue) == 0u);
  BOOST_TEST(!rig.port.lane(kTransmitQueue).call);
}

BOOST_AUTO_TEST_CASE(a_disabled_transmit_queue_is_discarded_and_a_disabled_receive_queue_not_supplied) {
  SessionRig rig;
  Peer peer(false);
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  rig.place_idle(peer.guest, kReceiveQueue);
  rig.kick(kReceiveQueue);
  BOOST_TEST(rig.port.view->outlets.empty());  // never enabled
  BOOST_TEST(!rig.port.walked(kReceiveQueue));
  rig.enable(kReceiveQueue);
  BOOST_TEST((rig.port.view->outlets == std::vector<uint16_t>{0}));
  for (const uint16_t vring : {kReceiveQueue, kTransmitQueue}) rig.enable(vring, false);
  BOOST_TEST(rig.port.view->outlets.empty());
  BOOST_TEST(!rig.port.walked(kReceiveQueue));
  BOOST_TEST(rig.port.lane(kTransmitQueue).discard);
  rig.enable(kTransmitQueue);
  BOOST_TEST(!rig.port.lane(kTransmitQueue).discard);
}

BOOST_AUTO_TEST_CASE(pairs_may_have_holes) {
  SessionRig rig;
  const Peer peer(false);
  rig.negotiate(features_for(false) | Feature::NET_MQ);
  rig.set_memory(peer.guest);
  for (const uint16_t vring : {2, 3}) {
    rig.place_idle(peer.guest, vring);
    rig.kick(vring);
    rig.enable(vring);
  }
  BOOST_TEST((rig.port.view->outlets == std::vector<uint16_t>{1}));
  BOOST_TEST(rig.port.walked(3));
  BOOST_TEST(!rig.port.walked(0));
  BOOST_TEST(!rig.port.walked(1));
  BOOST_TEST((rig.port.backend->enabled() == std::vector<bool>{false, false, true, true}));
}

BOOST_DATA_TEST_CASE(memory_is_replaced_under_a_ring_that_runs, kFormats, packed) {
  SessionRig rig;
  Peer peer(packed);
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  peer.send(60, 1);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);
  const std::weak_ptr<const GuestMap> old = rig.port.view->map;
  // The same memory, and one region less: the last of the data.
  gate::Message message = peer.guest.table_message();
  wire::MemoryTable table{};
  std::memcpy(&table, message.payload.data(), sizeof table);
  --table.count;
  message.fds.pop_back();
  std::vector<int> fds;
  for (const Fd& fd : message.fds) fds.push_back(fd.get());
  BOOST_TEST(rig.say(Request::SET_MEM_TABLE, table, fds) == 0u);
  BOOST_TEST(old.expired());
  peer.send(60, 2);
  const auto frames = rig.port.receive(kTransmitQueue);
  BOOST_TEST_REQUIRE(frames.size() == 1u);
  BOOST_TEST((frames[0] == made_frame(60, 2)));
  peer.guest.post_raw({{Guest::kData + 2 * Guest::kDataRegion, 100, 0}});
  BOOST_TEST(rig.port.receive(kTransmitQueue).empty());
  // Without the ring's own region it is refused, and the ring goes on in what was.
  std::copy(table.regions.begin() + 1, table.regions.begin() + table.count, table.regions.begin());
  --table.count;
  fds.pop_back();
  const int published = rig.port.published;
  BOOST_TEST(rig.say(Request::SET_MEM_TABLE, table, fds) == 1u);
  BOOST_TEST(rig.port.published == published);
}

BOOST_AUTO_TEST_CASE(an_mtu_bounds_what_goes_into_the_guest_and_nonsense_is_refused) {
  SessionRig rig;
  const Peer peer(false);
  rig.negotiate_protocol();
  rig.start(peer.guest, kReceiveQueue, features_for(false));
  BOOST_TEST(rig.port.view->terms.longest == kLongestFrame);
  BOOST_TEST(rig.say(Request::NET_SET_MTU, uint64_t{1400}) == 0u);
  BOOST_TEST(rig.port.view->terms.longest == 1418u);
  for (const uint64_t mtu : {uint64_t{0}, uint64_t{67}, uint64_t{65536}, ~uint64_t{0}})
    BOOST_TEST(rig.say(Request::NET_SET_MTU, mtu) == 1u);
  BOOST_TEST(rig.port.view->terms.longest == 1418u);
}

BOOST_AUTO_TEST_CASE(a_frontend_that_asks_is_told_of_an_error_and_its_address_is_announced) {
  SessionRig rig;
  const Peer peer(false);
  rig.negotiate_protocol();
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  rig.port.backend->report_error(kTransmitQueue);  // nobody asked
  const Fd error(::eventfd(0, EFD_NONBLOCK));
  BOOST_TEST(rig.say(Request::SET_VRING_ERR, uint64_t{kTransmitQueue}, {error.get()}) == 0u);
  rig.port.backend->report_error(kTransmitQueue);
  BOOST_TEST(called(error.get()));
  BOOST_TEST(rig.say(Request::SEND_RARP, uint64_t{0x665544332211}) == 0u);
  BOOST_TEST((rig.port.announced == std::vector<uint64_t>{0x665544332211}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
