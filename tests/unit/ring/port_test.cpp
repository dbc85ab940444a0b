// A ring port as its workers see it: what they find, what they are told, and what is reported of it.
#include <poll.h>
#include <sys/eventfd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "port_rig.hpp"

namespace testbed::ring::test {
namespace {

void send_nonsense(const Peer& peer) {
  peer.guest.post_raw({{uint64_t{1} << 50, 100, 0}});
}

const auto kFormats = boost::unit_test::data::make({false, true});  // packed

// What the back-end tells the front-end by that a ring has stopped.
Fd ask_for_errors(PortRig& rig) {
  Fd error(::eventfd(0, EFD_NONBLOCK));
  BOOST_TEST(rig.say(Request::SET_VRING_ERR, uint64_t{kTransmitQueue}, {error.get()}) == 0u);
  return error;
}

// The ring cannot be walked any more.
void promise_too_much(Peer& peer) {
  peer.guest.post_raw({{Guest::kData, 100, 0}}, {.avail_index = uint16_t(kRingSize + 1)});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(port)

BOOST_AUTO_TEST_CASE(faults_are_told_at_once_and_those_of_the_next_second_when_it_is_over) {
  PortRig rig;
  Peer peer(false);
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  send_nonsense(peer);
  rig.burst();
  BOOST_REQUIRE(rig.until_event("ring.fault"));
  for (int i = 0; i < 3; ++i) {
    send_nonsense(peer);
    rig.burst();
  }
  rig.io.restart();
  rig.io.poll();  // the bell was rung and answered
  BOOST_TEST(rig.named("ring.fault").size() == 1u);
  BOOST_REQUIRE(rig.until_event("ring.fault", 2));
  const auto told = rig.named("ring.fault");
  BOOST_TEST(told[0]["count"] == 1);
  BOOST_TEST(told[1]["count"] == 3);
  BOOST_TEST(told[1]["fault"] == "address");
  BOOST_TEST(told[1]["queue"] == kTransmitQueue);
  BOOST_TEST(told[1]["t"].get<uint64_t>() - told[0]["t"].get<uint64_t>() >= 1'000'000'000u);
}

BOOST_AUTO_TEST_CASE(what_waits_to_be_told_is_told_when_its_session_ends) {
  PortRig rig;
  Peer peer(false);
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  for (int i = 0; i < 2; ++i) {
    send_nonsense(peer);
    rig.burst();
    BOOST_REQUIRE(rig.until_event("ring.fault"));
  }
  rig.hang_up();
  const auto told = rig.named("ring.fault");
  BOOST_TEST_REQUIRE(told.size() == 2u);
  BOOST_TEST(told[1]["session"] == told[0]["session"]);
  // Of the next session nothing is told that was of this one.
  rig.connect();
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  rig.hang_up();
  BOOST_TEST(rig.named("ring.fault").size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_ring_that_stops_at_the_end_of_its_session_is_reported_and_no_frontend_told) {
  PortRig rig;
  Peer peer(false);
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  const Fd error = ask_for_errors(rig);
  promise_too_much(peer);
  rig.burst();
  rig.port->disconnect();  // before the bell is answered
  BOOST_TEST(rig.named("ring.stuck").size() == 1u);
  eventfd_t count = 0;
  BOOST_TEST(::eventfd_read(error.get(), &count) != 0);
}

BOOST_AUTO_TEST_CASE(a_stuck_ring_is_quiet_and_a_frontend_that_asked_is_told) {
  PortRig rig;
  Peer peer(false);
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  const Fd error = ask_for_errors(rig);
  promise_too_much(peer);
  BOOST_TEST(rig.burst() == 0);
  BOOST_REQUIRE(rig.until_event("ring.stuck"));
  eventfd_t count = 0;
  BOOST_TEST(::eventfd_read(error.get(), &count) == 0);
  BOOST_TEST(rig.port->arm(0) == Port::kQuiet);
  BOOST_TEST(rig.queue(kTransmitQueue)["stuck"] == true);
  // Until it starts again.
  rig.stop(kTransmitQueue);
  peer.guest.driver().reset();
  rig.place(peer.guest, kTransmitQueue);
  rig.kick(kTransmitQueue);
  peer.send(60);
  BOOST_TEST(rig.burst() == 1);
  BOOST_TEST(rig.queue(kTransmitQueue)["stuck"] == false);
}

BOOST_DATA_TEST_CASE(a_burst_in_hand_is_given_back_before_the_ring_is_said_to_have_stopped, kFormats,
                     packed) {
  PortRig rig;
  Peer peer(packed);
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  peer.send(60);
  peer.send(60);
  const uint16_t count = rig.receive();
  BOOST_TEST_REQUIRE(count == 2);
  rig.workers.finish = [&] { rig.port->release(rig.worker, 0, rig.packets.data(), count); };
  BOOST_TEST(rig.stop(kTransmitQueue) == (packed ? 0x80028002u : 2u));
  BOOST_TEST(!rig.workers.finish);
  BOOST_TEST(peer.reap() == 2);
  BOOST_TEST(rig.receive() == 0);
}

BOOST_DATA_TEST_CASE(what_a_disabled_queue_transmits_is_taken_counted_and_given_back, kFormats, packed) {
  PortRig rig;
  Peer peer(packed);
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  rig.enable(kTransmitQueue, false);
  for (int i = 0; i < 3; ++i) peer.send(60);
  BOOST_TEST(rig.burst() == 0);
  BOOST_TEST(peer.reap() == 3);
  BOOST_TEST(rig.queue(kTransmitQueue)["discarded"] == 3);
  rig.enable(kTransmitQueue);
  peer.send(60);
  BOOST_TEST(rig.burst() == 1);
}

BOOST_AUTO_TEST_CASE(frames_for_nobody_are_dropped_by_name) {
  PortRig rig;
  Peer peer(false);
  BOOST_TEST((rig.transmit(60).reason == DropReason::port_down));
  rig.start(peer.guest, kReceiveQueue, features_for(false));
  BOOST_TEST((rig.transmit(60).reason == DropReason::ring_full));
  peer.offer();
  BOOST_TEST(rig.transmit(60).sent == 1);
  peer.offer(30);
  BOOST_TEST((rig.transmit(60).reason == DropReason::too_big));
  rig.enable(kReceiveQueue, false);
  BOOST_TEST((rig.transmit(60).reason == DropReason::queue_disabled));
  rig.hang_up();
  BOOST_TEST((rig.transmit(60).reason == DropReason::port_down));
}

BOOST_DATA_TEST_CASE(a_worker_that_goes_to_sleep_is_told_what_to_wait_for, kFormats, packed) {
  PortRig rig;
  Peer peer(packed);
  BOOST_TEST(rig.port->arm(0) == Port::kQuiet);
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  peer.send(60);
  BOOST_TEST(!peer.guest.driver().kick_wanted());
  BOOST_TEST(rig.port->arm(0) == Port::kReady);
  BOOST_TEST(rig.burst() == 1);
  const int kick = rig.port->arm(0);
  BOOST_TEST_REQUIRE(kick >= 0);
  peer.send(60);
  BOOST_TEST(peer.guest.driver().kick_wanted());
  ::eventfd_write(rig.kick_fd.get(), 1);
  pollfd ready{kick, POLLIN, 0};
  BOOST_TEST(::poll(&ready, 1, 0) == 1);
  rig.port->disarm(0);
  BOOST_TEST(::poll(&ready, 1, 0) == 0);
  peer.send(60);
  BOOST_TEST(!peer.guest.driver().kick_wanted());
  BOOST_TEST(rig.burst() == 2);
  BOOST_TEST(rig.say(Request::SET_VRING_KICK, wire::kVringNoFd | kTransmitQueue) == 0u);
  BOOST_TEST(rig.port->arm(0) == Port::kNap);
}

BOOST_DATA_TEST_CASE(a_driver_is_called_once_for_a_burst_if_it_wants_to_be, kFormats, packed) {
  PortRig rig;
  Peer peer(packed);
  rig.start(peer.guest, kTransmitQueue, features_for(packed));
  const auto calls = [&] {
    eventfd_t count = 0;
    return ::eventfd_read(rig.call_fd.get(), &count) == 0 ? count : 0;
  };
  peer.guest.driver().want_calls(true);
  for (int i = 0; i < 3; ++i) peer.send(60);
  rig.burst();
  BOOST_TEST(calls() == 1u);
  peer.guest.driver().want_calls(false);
  peer.send(60);
  rig.burst();
  BOOST_TEST(calls() == 0u);
}

BOOST_AUTO_TEST_CASE(a_guest_that_arrived_is_announced_once_by_its_address) {
  PortRig rig;
  Peer peer(false);
  rig.negotiate_protocol();
  rig.start(peer.guest, kTransmitQueue, features_for(false));
  const int woken = rig.workers.wakes;
  BOOST_TEST(rig.say(Request::SEND_RARP, uint64_t{0x665544332211}) == 0u);
  BOOST_TEST(rig.workers.wakes > woken);
  BOOST_TEST(rig.port->arm(0) == Port::kReady);
  BOOST_TEST_REQUIRE(rig.receive() == 1);
  Octets frame(rig.packets[0].length);
  copy_frame(rig.packets[0], frame.data(), rig.packets[0].length);
  BOOST_TEST(frame.size() == 60u);
  for (const size_t at : {6, 22, 32}) {
    BOOST_TEST(std::to_integer<int>(frame[at]) == 0x11);
    BOOST_TEST(std::to_integer<int>(frame[at + 5]) == 0x66);
  }
  BOOST_TEST((std::to_integer<int>(frame[12]) == 0x80 && std::to_integer<int>(frame[13]) == 0x35));
  rig.port->release(rig.worker, 0, rig.packets.data(), 1);
  BOOST_TEST(rig.receive() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::ring::test
