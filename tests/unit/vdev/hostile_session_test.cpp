// Sessions with peers that break rules: what it costs them, and nobody else.
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "gate_rig.hpp"

using namespace testbed;
using namespace testbed::test;
using gate::Role;
using wire::Request;

BOOST_AUTO_TEST_SUITE(hostile_session)

BOOST_AUTO_TEST_CASE(a_refusal_is_answered_when_asked_for_and_the_session_goes_on_as_it_was) {
  Connected rig;
  const wire::VringState absurd{0, 3};
  rig.frontend.send(Request::SET_FEATURES, uint64_t{0});
  rig.frontend.send(Request::SET_VRING_NUM, absurd, wire::kFlagNeedReply);
  BOOST_TEST(value_of(rig.frontend.receive(rig)) != 0u);
  BOOST_TEST(rig.named("session.refused")[0]["ended"] == false);
  BOOST_TEST(rig.port->refusals().count(gate::Reason::vring) == 1u);
  rig.frontend.send(Request::GET_FEATURES);
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 0x3u);
  rig.frontend.send(Request::SET_VRING_NUM, absurd);
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_TEST(rig.named("session.refused")[1]["ended"] == true);
  BOOST_TEST(rig.host.log.requests.size() == 2u);  // SET_FEATURES, GET_FEATURES
}

BOOST_AUTO_TEST_CASE(a_refused_question_ends_the_session_because_its_answer_would_be_believed) {
  Connected rig;
  rig.frontend.send_message(gate::make_message(Request::GET_FEATURES, wire::kFlagNeedReply, uint64_t{0}), {});
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_TEST(rig.named("session.refused")[0]["ended"] == true);
}

BOOST_AUTO_TEST_CASE(surplus_descriptors_are_closed_and_the_session_goes_on) {
  Connected rig;
  const size_t before = open_descriptors();
  for (int i = 0; i < 50; ++i) {
    rig.frontend.send_message(gate::make_message(Request::SET_FEATURES, wire::kFlagNeedReply, uint64_t{0}),
                              std::vector<int>(8, STDIN_FILENO));
    BOOST_TEST(value_of(rig.frontend.receive(rig)) != 0u);
  }
  BOOST_TEST(open_descriptors() == before);
  BOOST_TEST(rig.port->refusals().count(gate::Reason::descriptors) == 50u);
}

BOOST_AUTO_TEST_CASE(a_flood_of_refusals_is_counted_and_told_in_part) {
  Connected rig;
  for (int i = 0; i < 500; ++i) {
    rig.frontend.send(Request::SET_VRING_NUM, wire::VringState{9, 8}, wire::kFlagNeedReply);
    BOOST_TEST(rig.frontend.receive(rig).has_value());
  }
  uint64_t told = 0;
  for (const auto& event : rig.named("session.refused")) told += event["count"].get<uint64_t>();
  BOOST_TEST(rig.port->refusals().count(gate::Reason::queues) == 500u);
  BOOST_TEST(told <= 500u);
  BOOST_TEST(rig.named("session.refused").size() < 500u);
}

BOOST_AUTO_TEST_CASE(a_ring_starts_when_its_last_part_comes) {
  Connected rig;
  Fd memory(::memfd_create("guest", 0)), kick(::eventfd(0, 0));
  BOOST_REQUIRE_EQUAL(::ftruncate(memory.get(), 0x10000), 0);
  wire::MemoryTable table{1, 0, {wire::MemoryRegion{0, 0x10000, 0x100000, 0}}};
  rig.frontend.send(Request::SET_FEATURES, uint64_t{0});
  rig.frontend.send(Request::SET_MEM_TABLE, table, 0, {memory.get()});
  rig.frontend.send(Request::SET_VRING_KICK, uint64_t{0}, wire::kFlagNeedReply, {kick.get()});
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 0u);
  rig.frontend.send(Request::SET_VRING_ADDR, wire::VringAddr{0, 0, 0x100000, 0x102000, 0x101000, 0});
  rig.frontend.send(Request::SET_VRING_NUM, wire::VringState{0, 8}, wire::kFlagNeedReply);
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 0u);
  using R = Request;
  const std::vector<R> expected = {R::SET_FEATURES, R::SET_MEM_TABLE, R::SET_VRING_ADDR, R::SET_VRING_NUM,
                                   R::SET_VRING_KICK};
  BOOST_REQUIRE(rig.until([&] { return rig.host.log.requests.size() == expected.size(); }));
  BOOST_TEST((rig.host.log.requests == expected));
}

BOOST_AUTO_TEST_CASE(a_stopped_ring_gets_its_size_again_before_it_starts) {
  Connected rig;
  Fd memory(::memfd_create("guest", 0)), kick(::eventfd(0, 0));
  BOOST_REQUIRE_EQUAL(::ftruncate(memory.get(), 0x10000), 0);
  wire::MemoryTable table{1, 0, {wire::MemoryRegion{0, 0x10000, 0x100000, 0}}};
  rig.frontend.send(Request::SET_FEATURES, uint64_t{0});
  rig.frontend.send(Request::SET_MEM_TABLE, table, 0, {memory.get()});
  rig.frontend.send(Request::SET_VRING_NUM, wire::VringState{0, 8});
  rig.frontend.send(Request::SET_VRING_ADDR, wire::VringAddr{0, 0, 0x100000, 0x102000, 0x101000, 0});
  rig.frontend.send(Request::GET_VRING_BASE, wire::VringState{0, 0});
  BOOST_TEST(rig.frontend.receive(rig).has_value());
  rig.frontend.send(Request::SET_VRING_KICK, uint64_t{0}, wire::kFlagNeedReply, {kick.get()});
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 0u);
  const auto& requests = rig.host.log.requests;
  BOOST_TEST(std::count(requests.begin(), requests.end(), Request::SET_VRING_NUM) == 2);
  BOOST_TEST((requests.back() == Request::SET_VRING_KICK));
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_refused_in_a_loop_waits_before_it_is_heard_again) {
  Connected rig;
  const auto begin = std::chrono::steady_clock::now();
  for (size_t round = 1; round <= 6; ++round) {
    rig.frontend.send(Request::SET_VRING_NUM, wire::VringState{9, 8});
    BOOST_TEST(rig.frontend.closed(rig));
    rig.frontend = Frontend::connect(rig.scratch.file("p0"));
    BOOST_REQUIRE(rig.until_event("session.connected", round + 1));
  }
  BOOST_TEST((std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(10 + 20 + 40)));
}

BOOST_AUTO_TEST_CASE(a_peer_whose_ring_was_started_is_heard_again_at_once) {
  Connected rig;
  Fd memory(::memfd_create("guest", 0)), kick(::eventfd(0, 0));
  BOOST_REQUIRE_EQUAL(::ftruncate(memory.get(), 0x10000), 0);
  wire::MemoryTable table{1, 0, {wire::MemoryRegion{0, 0x10000, 0x100000, 0}}};
  const auto begin = std::chrono::steady_clock::now();
  for (size_t round = 1; round <= 30; ++round) {
    rig.frontend.send(Request::SET_FEATURES, uint64_t{0});
    rig.frontend.send(Request::SET_MEM_TABLE, table, 0, {memory.get()});
    rig.frontend.send(Request::SET_VRING_NUM, wire::VringState{0, 8});
    rig.frontend.send(Request::SET_VRING_ADDR, wire::VringAddr{0, 0, 0x100000, 0x102000, 0x101000, 0});
    rig.frontend.send(Request::SET_VRING_KICK, uint64_t{0}, 0, {kick.get()});
    rig.frontend.send(Request::SET_VRING_NUM, wire::VringState{9, 8});
    BOOST_TEST(rig.frontend.closed(rig));
    rig.frontend = Frontend::connect(rig.scratch.file("p0"));
    BOOST_REQUIRE(rig.until_event("session.connected", round + 1));
  }
  BOOST_TEST(rig.port->refusals().count(gate::Reason::queues) == 30u);
  // The pauses alone would have been longer.
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(10 + 20 + 40 + 80 + 23 * 100)));
}

BOOST_AUTO_TEST_CASE(an_answer_nobody_reads_costs_its_session_and_no_other) {
  Connected rig(std::chrono::milliseconds(50));
  auto other = gate::Endpoint::open(rig.io, rig.events, rig.watch,
                                    {"p1", rig.scratch.file("p1"), Role::server, 1}, rig.memory, rig.host);
  BOOST_REQUIRE(other);
  Frontend fair = Frontend::connect(rig.scratch.file("p1"));
  const wire::VhostUserHeader ask{static_cast<uint32_t>(Request::GET_FEATURES), wire::kFlagVersion, 0};
  for (int round = 0; rig.named("session.down").empty(); ++round) {
    while (::send(rig.frontend.fd(), &ask, sizeof ask, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof ask) {
    }
    fair.send(Request::GET_FEATURES);
    BOOST_REQUIRE(fair.receive(rig).has_value());
    BOOST_REQUIRE(round < 100000);
  }
  BOOST_TEST(rig.named("session.down")[0]["port"] == "p0");
  BOOST_TEST(rig.port->refusals().count(gate::Reason::deadline) == 1u);
}

BOOST_AUTO_TEST_CASE(a_thousand_idle_connections_cost_no_other_port_anything) {
  Connected rig;
  auto other = gate::Endpoint::open(rig.io, rig.events, rig.watch,
                                    {"p1", rig.scratch.file("p1"), Role::server, 1}, rig.memory, rig.host);
  const size_t before = open_descriptors();
  std::vector<Frontend> idle;
  for (int i = 0; i < 1000; ++i) {
    idle.push_back(Frontend::connect(rig.scratch.file("p0")));
    rig.io.restart();
    rig.io.poll();
  }
  Frontend fair = Frontend::connect(rig.scratch.file("p1"));
  fair.send(Request::GET_FEATURES);
  BOOST_TEST(fair.receive(rig).has_value());
  BOOST_REQUIRE(rig.until([&] { return rig.port->refusals().count(gate::Reason::busy) == 1000; }));
  idle.clear();
  BOOST_TEST(open_descriptors() == before + 2);  // both ends of the fair one
}

BOOST_AUTO_TEST_SUITE_END()
