// One session: whole messages only, the rules, what is remembered, and the record of it.
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "gate_rig.hpp"
#include "vdev/wire/virtio_features.hpp"

using namespace testbed;
using namespace testbed::test;
using gate::PortMemory;
using gate::Role;
using wire::Request;

BOOST_AUTO_TEST_SUITE(session)

BOOST_AUTO_TEST_CASE(half_a_message_stalls_no_other_port) {
  Connected slow;
  const wire::VhostUserHeader half{static_cast<uint32_t>(Request::SET_FEATURES), wire::kFlagVersion, 8};
  slow.frontend.send_bytes(&half, sizeof half);
  auto other = gate::Endpoint::open(slow.io, slow.events, slow.watch,
                                    {"p1", slow.scratch.file("p1"), Role::server, 1}, slow.memory, slow.host);
  BOOST_REQUIRE(other);
  Frontend fast = Frontend::connect(slow.scratch.file("p1"));
  fast.send(Request::GET_FEATURES);
  BOOST_TEST(fast.receive(slow).has_value());
  BOOST_TEST(slow.named("session.down").empty());
}

BOOST_AUTO_TEST_CASE(half_a_message_costs_its_session_when_the_deadline_passes) {
  Connected rig(std::chrono::milliseconds(30));
  const wire::VhostUserHeader half{static_cast<uint32_t>(Request::SET_FEATURES), wire::kFlagVersion, 8};
  rig.frontend.send_bytes(&half, 5);
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_REQUIRE(rig.until_event("session.down"));
  BOOST_TEST(rig.named("session.down")[0]["reason"] == "deadline");
}

BOOST_AUTO_TEST_CASE(a_message_in_single_octets_is_a_message) {
  Connected rig;
  const gate::Message whole = gate::make_message(Request::SET_FEATURES, wire::kFlagNeedReply, uint64_t{1});
  std::vector<std::byte> bytes(sizeof whole.header);
  std::memcpy(bytes.data(), &whole.header, bytes.size());
  bytes.insert(bytes.end(), whole.payload.begin(), whole.payload.end());
  for (const std::byte& octet : bytes) {
    rig.frontend.send_bytes(&octet, 1);
    rig.io.restart();
    rig.io.poll();
  }
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 0u);
  BOOST_TEST(rig.named("session.negotiated").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_payload_nobody_could_mean_ends_the_session) {
  Connected rig;
  const wire::VhostUserHeader huge{static_cast<uint32_t>(Request::SET_MEM_TABLE), wire::kFlagVersion,
                                   0xffffffff};
  rig.frontend.send_bytes(&huge, sizeof huge);
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_REQUIRE(rig.until_event("session.down"));
  BOOST_TEST(rig.named("session.down")[0]["reason"] == "protocol");
}

BOOST_AUTO_TEST_CASE(more_descriptors_than_a_message_may_carry_end_the_session) {
  Connected rig;
  const uint64_t payload = 0;
  const gate::Message call = gate::make_message(Request::SET_VRING_CALL, 0, payload);
  const size_t before = open_descriptors();
  rig.frontend.send_message(call, std::vector<int>(9, STDIN_FILENO));
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_REQUIRE(rig.until([&] { return rig.port->session() == nullptr; }));
  BOOST_TEST(open_descriptors() == before - 1);
}

BOOST_AUTO_TEST_CASE(features_are_masked_to_what_the_port_offers_and_queues_capped) {
  Connected rig;
  rig.frontend.send(Request::GET_FEATURES);
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 0x3u);
  rig.frontend.send(Request::GET_QUEUE_NUM);
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 2u);
}

BOOST_AUTO_TEST_CASE(a_frontend_that_insists_on_what_is_not_offered_is_refused_by_name) {
  Connected rig;
  rig.frontend.send(Request::SET_FEATURES, bit(wire::Feature::RING_PACKED) | 1);
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_REQUIRE_EQUAL(rig.named("session.refused").size(), 1u);
  BOOST_TEST(rig.named("session.refused")[0]["reason"] == "features");
  BOOST_TEST(rig.named("session.refused")[0]["detail"].get<std::string>().find("RING_PACKED") !=
             std::string::npos);
  BOOST_TEST(rig.host.log.requests.empty());
}

BOOST_AUTO_TEST_CASE(a_virtqueue_the_port_does_not_have_is_refused) {
  Connected rig;
  rig.frontend.send(Request::SET_VRING_NUM, wire::VringState{4, 256});
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_TEST(rig.named("session.refused")[0]["reason"] == "queues");
}

BOOST_AUTO_TEST_CASE(a_payload_too_short_for_its_request_is_refused) {
  Connected rig;
  rig.frontend.send(Request::SET_VRING_ADDR, uint32_t{0});
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_TEST(rig.named("session.refused")[0]["reason"] == "malformed");
}

BOOST_AUTO_TEST_CASE(what_the_backend_refuses_is_answered_when_asked_for_and_ends_the_session_when_not) {
  Connected rig;
  rig.host.log.refuse = Request::SET_OWNER;
  rig.frontend.send(Request::SET_OWNER, wire::kFlagNeedReply);
  BOOST_TEST(value_of(rig.frontend.receive(rig)) == 1u);
  rig.frontend.send(Request::SET_OWNER);
  BOOST_TEST(rig.frontend.closed(rig));
  BOOST_TEST(rig.named("session.down")[0]["detail"] == "it refused SET_OWNER");
}

BOOST_AUTO_TEST_CASE(the_next_request_waits_for_the_answer_to_the_last) {
  Connected rig;
  rig.host.log.silent = true;
  for (int i = 0; i < 3; ++i) rig.frontend.send(Request::SET_OWNER);
  BOOST_REQUIRE(rig.until([&] { return !rig.host.log.requests.empty(); }));
  rig.io.restart();
  rig.io.poll();
  BOOST_TEST(rig.host.log.requests.size() == 1u);
}

BOOST_AUTO_TEST_CASE(every_message_is_in_the_timeline_of_the_last_two_sessions) {
  Connected rig;
  for (int round = 0; round < 3; ++round) {
    rig.frontend.send(Request::GET_FEATURES);
    BOOST_REQUIRE(rig.frontend.receive(rig).has_value());
    rig.frontend.close();
    BOOST_REQUIRE(rig.until([&] { return rig.port->session() == nullptr; }));
    rig.frontend = Frontend::connect(rig.scratch.file("p0"));
    BOOST_REQUIRE(rig.until([&] { return rig.port->session() != nullptr; }));
  }
  const auto messages = rig.port->timeline();
  BOOST_REQUIRE_EQUAL(messages.size(), 2u);  // of the session before; the present one has said nothing
  BOOST_TEST(messages[0]["message"] == "GET_FEATURES");
  BOOST_TEST(messages[0]["dir"] == "frontend");
  BOOST_TEST(messages[0].contains("reply_us"));
  BOOST_TEST(messages[1]["dir"] == "backend");
  BOOST_TEST(rig.named("session.message").size() == 6u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(port_memory)

BOOST_AUTO_TEST_CASE(after_a_crash_the_same_set_is_offered_and_another_choice_is_reported) {
  GateRig rig;
  rig.memory.remember({0x1, 0x1, true});  // a session lived, with less on offer than now
  auto port = rig.open(Role::server, rig.scratch.file("p0"));
  Frontend frontend = Frontend::connect(rig.scratch.file("p0"));
  frontend.send(Request::GET_FEATURES);
  BOOST_TEST(value_of(frontend.receive(rig)) == 0x1u);
  frontend.send(Request::SET_FEATURES, uint64_t{0}, wire::kFlagNeedReply);
  BOOST_REQUIRE(frontend.receive(rig).has_value());
  BOOST_REQUIRE_EQUAL(rig.named("session.changed").size(), 1u);
  BOOST_TEST(rig.named("session.changed")[0]["before"] == "0x1");
  BOOST_TEST(rig.named("session.changed")[0]["now"] == "0x0");
}

BOOST_AUTO_TEST_CASE(a_frontend_that_left_of_its_own_accord_binds_nobody) {
  GateRig rig;
  rig.memory.remember({0x1, 0x1, true});
  auto port = rig.open(Role::server, rig.scratch.file("p0"));
  {
    Frontend first = Frontend::connect(rig.scratch.file("p0"));
    first.send(Request::SET_FEATURES, uint64_t{1}, wire::kFlagNeedReply);
    BOOST_REQUIRE(first.receive(rig).has_value());
  }
  BOOST_REQUIRE(rig.until_event("session.down"));
  Frontend second = Frontend::connect(rig.scratch.file("p0"));
  second.send(Request::GET_FEATURES);
  BOOST_TEST(value_of(second.receive(rig)) == 0x3u);
}

BOOST_AUTO_TEST_CASE(what_was_remembered_is_there_after_the_process_is_gone) {
  Scratch scratch;
  const std::string path = gate::port_memory_path(scratch.path, "p/0");
  BOOST_TEST(path == scratch.path + "/p%2F0.memory");
  {
    auto memory = PortMemory::open(path, 4);
    BOOST_REQUIRE(memory);
    memory->remember({7, 5, true});
    memory->remember({7, 3, true});
    memory->ring(3).set_position(0x8005, 256);
  }
  auto memory = PortMemory::open(path, 4);
  BOOST_REQUIRE(memory);
  BOOST_TEST((memory->features() == PortMemory::Features{7, 3, true}));
  BOOST_TEST(memory->ring(3).holds(256));
  BOOST_TEST(!memory->ring(3).holds(128));
  BOOST_TEST(!memory->ring(2).holds(256));
}

BOOST_AUTO_TEST_CASE(garbage_in_the_file_is_an_empty_memory) {
  Scratch scratch;
  const std::string path = scratch.file("p0.memory");
  std::string good;
  {
    auto memory = PortMemory::open(path, 4);
    memory->remember({7, 5, true});
  }
  {
    std::ifstream in(path, std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (size_t at = 0; at < 128; ++at) {  // every octet of header and copies, wrong in turn
    std::string bad = good;
    bad[at] = static_cast<char>(~bad[at]);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
    auto memory = PortMemory::open(path, 4);
    BOOST_REQUIRE(memory);
    const PortMemory::Features now = memory->features();
    BOOST_TEST((now == PortMemory::Features{} || now == PortMemory::Features{7, 5, true}));
  }
  for (const std::string& contents : {std::string("no"), std::string(100000, 'x'), std::string()}) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
    auto memory = PortMemory::open(path, 4);
    BOOST_REQUIRE(memory);
    BOOST_TEST((memory->features() == PortMemory::Features{}));
  }
}

BOOST_AUTO_TEST_CASE(two_processes_cannot_remember_in_one_file) {
  Scratch scratch;
  auto first = PortMemory::open(scratch.file("m"), 4);
  auto second = PortMemory::open(scratch.file("m"), 4);
  BOOST_REQUIRE(!second);
  BOOST_TEST((second.error().code == Errc::busy));
}

BOOST_AUTO_TEST_SUITE_END()
