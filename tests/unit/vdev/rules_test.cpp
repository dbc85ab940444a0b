// The rules, message by message, without sockets: each refused input stands beside the legal one it differs
// from.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "rules_rig.hpp"

using namespace testbed;
using namespace testbed::test;
using gate::FdFacts;
using gate::Reason;
using wire::Feature;
using wire::ProtocolFeature;
using wire::Request;

namespace bdata = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(rules)

BOOST_AUTO_TEST_CASE(a_legal_handshake_passes_whatever_ring_it_is_for) {
  for (const uint64_t format : {uint64_t{0}, bit(Feature::RING_PACKED), bit(Feature::RING_EVENT_IDX)}) {
    RulesRig rig;
    for (const Said& step : handshake(format)) BOOST_TEST(rig.take(step) == "");
    BOOST_TEST(rig.rules.said().rings[0].started());
  }
}

// -- Header, size, what was negotiated
BOOST_AUTO_TEST_CASE(another_version_of_the_protocol_is_refused) {
  RulesRig rig;
  for (const uint32_t version : {0u, 2u, 3u}) {
    Said step = said(Request::GET_FEATURES);
    step.message.header.flags = version;
    BOOST_TEST(rig.judge(step) == "header");
  }
}

BOOST_AUTO_TEST_CASE(a_reply_nobody_asked_for_is_refused) {
  RulesRig rig;
  Said step = said(Request::SET_OWNER);
  step.message.header.flags |= wire::kFlagReply;
  BOOST_TEST(rig.judge(step) == "header");
}

BOOST_DATA_TEST_CASE(requests_of_no_specification_are_refused, bdata::make({0u, 44u, 100u, 0xffffffffu}),
                     number) {
  BOOST_TEST(RulesRig().judge(said(static_cast<Request>(number))) == "unknown");
}

BOOST_DATA_TEST_CASE(requests_of_other_devices_and_features_are_refused, bdata::xrange(22u, 39u), number) {
  RulesRig
      rig;  // every protocol feature is negotiated: what the gate has no rule for does not pass even then
  rig.take(said(Request::SET_PROTOCOL_FEATURES, ~uint64_t{0}));
  BOOST_TEST(rig.judge(said(static_cast<Request>(number))) == "unnegotiated");
}

BOOST_AUTO_TEST_CASE(what_needs_a_protocol_feature_is_refused_without_it_and_passes_with_it) {
  const std::pair<Said, ProtocolFeature> all[] = {
      {said(Request::SEND_RARP, uint64_t{0}), ProtocolFeature::RARP},
      {said(Request::NET_SET_MTU, uint64_t{1500}), ProtocolFeature::MTU},
      {said(Request::SET_STATUS, uint64_t{1}), ProtocolFeature::STATUS},
      {said(Request::GET_STATUS), ProtocolFeature::STATUS},
      {said(Request::SET_BACKEND_REQ_FD, {{FdFacts::Kind::socket}}), ProtocolFeature::BACKEND_REQ},
      {said(Request::SET_LOG_BASE, wire::Log{4096, 0}, {file(4096)}), ProtocolFeature::LOG_SHMFD},
  };
  for (const auto& [step, feature] : all) {
    RulesRig rig;
    BOOST_TEST(rig.judge(step) == "unnegotiated");
    rig.take(said(Request::SET_PROTOCOL_FEATURES, bit(feature)));
    BOOST_TEST(rig.judge(step) == "");
  }
}

BOOST_AUTO_TEST_CASE(a_payload_has_the_size_its_request_takes) {
  for (const Said& legal : handshake(0)) {
    const auto size = legal.message.payload.size();
    if (legal.message.is(Request::SET_MEM_TABLE)) continue;  // may be padded to a whole table
    for (const size_t other : {size - 1, size + 1, size_t{0}, size_t{4096}}) {
      if (other == size || other > 4096) continue;
      RulesRig rig = RulesRig::before(legal);
      Said step = legal;
      step.message.payload.resize(other);
      BOOST_TEST(rig.judge(step) == "malformed");
    }
  }
}

// -- Descriptors
BOOST_AUTO_TEST_CASE(more_or_fewer_descriptors_than_a_message_takes_are_refused) {
  for (const Said& legal : handshake(0)) {
    RulesRig rig = RulesRig::before(legal);
    Said step = legal;
    step.fds.push_back(eventfd());
    BOOST_TEST(rig.judge(step) == "descriptors");
    if (legal.fds.empty()) continue;
    step = legal;
    step.fds.pop_back();
    BOOST_TEST(rig.judge(step) == "descriptors");
  }
}

BOOST_AUTO_TEST_CASE(a_polled_ring_has_no_descriptor_and_says_so) {
  RulesRig rig = RulesRig::shaken();
  BOOST_TEST(rig.judge(said(Request::SET_VRING_CALL, wire::kVringNoFd)) == "");
  BOOST_TEST(rig.judge(said(Request::SET_VRING_CALL, wire::kVringNoFd, {eventfd()})) == "descriptors");
  BOOST_TEST(rig.judge(said(Request::SET_VRING_CALL, uint64_t{0})) == "descriptors");
}

BOOST_AUTO_TEST_CASE(only_an_eventfd_is_kicked_and_called) {
  RulesRig rig = RulesRig::shaken();
  for (const Request request : {Request::SET_VRING_KICK, Request::SET_VRING_CALL, Request::SET_VRING_ERR}) {
    BOOST_TEST(rig.judge(said(request, uint64_t{0}, {eventfd()})) == "");
    for (const auto kind : {FdFacts::Kind::pipe, FdFacts::Kind::file, FdFacts::Kind::socket,
                            FdFacts::Kind::directory, FdFacts::Kind::device, FdFacts::Kind::other})
      BOOST_TEST(rig.judge(said(request, uint64_t{0}, {{kind, true}})) == "descriptors");
  }
}

BOOST_AUTO_TEST_CASE(guest_memory_is_a_file_that_may_be_written) {
  RulesRig rig;
  BOOST_TEST(rig.judge(table({{0, 4096, 0x10000, 0}}, {file(4096)})) == "");
  FdFacts readonly = file(4096);
  readonly.writable = false;
  for (const FdFacts& wrong :
       {readonly, FdFacts{FdFacts::Kind::pipe, true}, FdFacts{FdFacts::Kind::directory},
        FdFacts{FdFacts::Kind::device, true}, FdFacts{FdFacts::Kind::socket, true}})
    BOOST_TEST(rig.judge(table({{0, 4096, 0x10000, 0}}, {wrong})) == "descriptors");
}

// -- Features, queues, order
BOOST_AUTO_TEST_CASE(features_that_were_not_offered_are_refused) {
  RulesRig rig;
  BOOST_TEST(rig.judge(said(Request::SET_FEATURES, kOffered)) == "");
  BOOST_TEST(rig.judge(said(Request::SET_FEATURES, kOffered | uint64_t{1} << 60)) == "features");
}

BOOST_AUTO_TEST_CASE(features_change_only_while_no_ring_runs_but_for_logging) {
  RulesRig rig = RulesRig::shaken();
  BOOST_TEST(rig.judge(said(Request::SET_FEATURES, bit(Feature::LOG_ALL))) == "");
  BOOST_TEST(rig.judge(said(Request::SET_FEATURES, bit(Feature::NET_MRG_RXBUF))) == "running");
  rig.take(said(Request::GET_VRING_BASE, wire::VringState{0, 0}));
  BOOST_TEST(rig.judge(said(Request::SET_FEATURES, bit(Feature::NET_MRG_RXBUF))) == "");
}

BOOST_AUTO_TEST_CASE(a_virtqueue_the_port_does_not_have_is_refused) {
  RulesRig rig = RulesRig::shaken();
  BOOST_TEST(rig.judge(said(Request::SET_VRING_ENABLE, wire::VringState{3, 1})) == "");
  for (const uint32_t index : {4u, 255u, 256u, 300u, 0xffffffffu})
    BOOST_TEST(rig.judge(said(Request::SET_VRING_ENABLE, wire::VringState{index, 1})) == "queues");
}

BOOST_AUTO_TEST_CASE(the_second_pair_starts_only_with_multiqueue) {
  for (const bool multiqueue : {false, true}) {
    RulesRig rig;
    rig.take(said(Request::SET_FEATURES, multiqueue ? bit(Feature::NET_MQ) : uint64_t{0}));
    const Said kick = said(Request::SET_VRING_KICK, uint64_t{2}, {eventfd()});
    BOOST_TEST(rig.judge(kick) == (multiqueue ? "" : "queues"));
  }
}

BOOST_AUTO_TEST_CASE(a_ring_is_described_after_the_features_and_placed_after_the_memory) {
  RulesRig rig;
  BOOST_TEST(rig.judge(said(Request::SET_VRING_CALL, uint64_t{0}, {eventfd()})) == "");  // QEMU does so
  BOOST_TEST(rig.judge(said(Request::SET_VRING_NUM, wire::VringState{0, 8})) == "order");
  BOOST_TEST(rig.judge(said(Request::SET_VRING_KICK, uint64_t{0}, {eventfd()})) == "order");
  rig.take(said(Request::SET_FEATURES, uint64_t{0}));
  BOOST_TEST(rig.judge(said(Request::SET_VRING_NUM, wire::VringState{0, 8})) == "");
  BOOST_TEST(rig.judge(said(Request::SET_VRING_ADDR, address())) == "order");
}

BOOST_AUTO_TEST_SUITE_END()
