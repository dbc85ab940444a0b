// How a session ends, and is reset, in every state.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "session_rig.hpp"

namespace testbed::ring::test {
namespace {

using testbed::test::open_descriptors;

// What brings a session to each of its states, in order.
struct Step {
  const char* name;
  void (*act)(SessionRig&, const Guest&);
};
const Step kSteps[] = {
    {"connected", [](SessionRig&, const Guest&) {}},
    {"features",
     [](SessionRig& rig, const Guest& guest) { rig.negotiate(features_for(guest.options.ring.packed)); }},
    {"memory", [](SessionRig& rig, const Guest& guest) { rig.set_memory(guest); }},
    {"placed", [](SessionRig& rig, const Guest& guest) { rig.place(guest, kTransmitQueue); }},
    {"started", [](SessionRig& rig, const Guest&) { rig.kick(kTransmitQueue); }},
    {"enabled", [](SessionRig& rig, const Guest&) { rig.enable(kTransmitQueue); }},
    {"disabled", [](SessionRig& rig, const Guest&) { rig.enable(kTransmitQueue, false); }},
    {"stopped", [](SessionRig& rig, const Guest&) { rig.stop(kTransmitQueue); }},
};
constexpr size_t kStates = std::size(kSteps);

}  // namespace

BOOST_AUTO_TEST_SUITE(session_states)

BOOST_DATA_TEST_CASE(a_session_that_ends_in_any_state_leaves_nothing_and_the_next_one_works,
                     boost::unit_test::data::make({false, true}) * boost::unit_test::data::xrange(kStates),
                     packed, state) {
  SessionRig rig;
  Peer peer(packed);
  rig.hang_up();
  const size_t before = open_descriptors();
  const int retired = rig.port.retired;
  rig.connect();
  for (size_t step = 0; step <= state; ++step) kSteps[step].act(rig, peer.guest);
  peer.send(60, 1);
  rig.hang_up();
  BOOST_TEST(!rig.port.view);
  BOOST_TEST(rig.port.retired == retired + 1);
  BOOST_TEST(open_descriptors() == before);
  Octets last;
  peer.guest.copy_to(last);
  rig.connect();
  BOOST_TEST(!rig.port.view);  // it has said nothing yet
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  const auto frames = rig.port.receive(kTransmitQueue);
  BOOST_TEST_REQUIRE(frames.size() == 1u);
  BOOST_TEST((frames[0] == made_frame(60, 1)));
}

BOOST_DATA_TEST_CASE(a_device_that_is_reset_walks_nothing_until_it_starts_again,
                     boost::unit_test::data::make({false, true}), packed) {
  SessionRig rig;
  Peer peer(packed);
  rig.negotiate_protocol();
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  BOOST_TEST(rig.say(Request::SET_STATUS, uint64_t{15}) == 0u);
  peer.send(60, 1);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);
  BOOST_TEST(rig.say(Request::SET_STATUS, uint64_t{0}) == 0u);
  peer.send(60, 2);
  Octets before;
  peer.guest.copy_to(before);
  BOOST_TEST(!rig.port.walked(kTransmitQueue));
  rig.enable(kTransmitQueue);  // says nothing about the driver
  BOOST_TEST(!rig.port.walked(kTransmitQueue));
  BOOST_TEST(peer.guest.is(before));
  // It stopped where it was; and a driver that is ready again goes on there.
  const uint32_t base = rig.stop(kTransmitQueue);
  BOOST_TEST(base == (packed ? 0x80018001u : 1u));
  rig.place(peer.guest, kTransmitQueue, base);
  rig.kick(kTransmitQueue);
  BOOST_TEST(rig.say(Request::SET_STATUS, uint64_t{15}) == 0u);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_driver_that_is_ready_again_without_a_stop_is_served_again) {
  SessionRig rig;
  Peer peer(false);
  rig.negotiate_protocol();
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  for (const uint64_t status : {0, 1, 3, 11}) BOOST_TEST(rig.say(Request::SET_STATUS, status) == 0u);
  peer.send(60);
  BOOST_TEST(!rig.port.walked(kTransmitQueue));
  BOOST_TEST(rig.say(Request::SET_STATUS, uint64_t{15}) == 0u);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);
}

BOOST_DATA_TEST_CASE(a_ring_of_another_size_in_other_memory_is_used_and_what_was_before_is_not_touched,
                     boost::unit_test::data::make({false, true}), packed) {
  const uint16_t first = packed ? 0x8000 : 0;
  for (const bool same_session : {true, false}) {
    SessionRig rig;
    Peer before(packed),
        after({.size = packed ? uint16_t{5} : uint16_t{4}, .packed = packed, .first = first}, false);
    rig.start(before.guest, kTransmitQueue, features_for(packed));
    for (int i = 0; i < 7; ++i) before.send(60);
    BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 7u);
    before.send(60);
    if (same_session)
      rig.stop(kTransmitQueue);
    else
      rig.connect();
    Octets last;
    before.guest.copy_to(last);
    rig.start(after.guest, kTransmitQueue, features_for(packed));
    for (uint64_t lap = 0; lap < 4; ++lap) {
      for (uint64_t i = 0; i < 3; ++i) after.send(60, 10 * lap + i);
      const auto frames = rig.port.receive(kTransmitQueue);
      BOOST_TEST_REQUIRE(frames.size() == 3u);
      BOOST_TEST((frames[2] == made_frame(60, 10 * lap + 2)));
      BOOST_TEST(after.reap() == 3);
    }
    BOOST_TEST(before.guest.is(last));
  }
}

BOOST_AUTO_TEST_CASE(reset_owner_forgets_nothing) {
  SessionRig rig;
  Peer peer(false);
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  rig.frontend->send(Request::RESET_OWNER, wire::kFlagNeedReply);
  BOOST_TEST(value_of(rig.frontend->receive(rig)) == 0u);
  peer.send(60);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_a_ring_starts_with_comes_in_any_order) {
  SessionRig rig;
  Peer peer(false);
  rig.negotiate(features_for(false));
  rig.set_memory(peer.guest);
  rig.enable(kTransmitQueue);
  rig.frontend->send(Request::SET_VRING_KICK, uint64_t{kTransmitQueue}, wire::kFlagNeedReply,
                     {rig.kick_fd.get()});
  BOOST_TEST(value_of(rig.frontend->receive(rig)) == 0u);
  BOOST_TEST(!rig.port.view);
  rig.place(peer.guest, kTransmitQueue);
  peer.send(60);
  BOOST_TEST(rig.port.receive(kTransmitQueue).size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
