// Sessions and handshakes against a backend of a few lines on the other end of a socketpair.
#include "emu/driver/session/session.hpp"

#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <thread>

#include "core/base/clock.hpp"
#include "emu/driver/session/backend_requests.hpp"
#include "emu/driver/session/handshake.hpp"

namespace testbed::driver {
namespace {

using wire::ProtocolFeature;
using wire::Request;

constexpr uint64_t kSecond = 1'000'000'000;

struct Pair {
  explicit Pair(uint64_t answer_within_ns = 5 * kSecond) {
    int ends[2];
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    session = std::make_unique<Session>(Fd(ends[0]), answer_within_ns);
    backend = std::make_unique<Channel>(Fd(ends[1]));
  }
  Received got() { return *backend->receive(now_ns() + 5 * kSecond); }
  void answer(uint32_t request, uint64_t value, uint32_t flags = wire::kFlagVersion | wire::kFlagReply) {
    Message reply{.request = request, .flags = flags, .payload = std::vector<uint8_t>(8)};
    std::memcpy(reply.payload.data(), &value, 8);
    BOOST_TEST_REQUIRE(backend->send(encode(reply), {}, now_ns() + kSecond).has_value());
  }
  std::unique_ptr<Session> session;
  std::unique_ptr<Channel> backend;
};

// Answers a whole handshake until the frontend hangs up; remembers the requests.
class Obliging {
 public:
  Obliging(Channel& channel, uint64_t features, uint64_t protocol)
      : thread_([this, &channel, features, protocol] {
          while (auto got = channel.receive(now_ns() + 5 * kSecond)) {
            const auto request = static_cast<Request>(got->header.request);
            seen.push_back(request);
            fds.push_back(got->fds.size());
            const bool asked = got->header.flags & wire::kFlagNeedReply;
            if (!asked && !answered(got->header.request, protocol)) continue;
            Message reply{.request = got->header.request, .flags = wire::kFlagVersion | wire::kFlagReply};
            const uint64_t value = value_for(request, features, protocol);
            reply.payload.resize(8);
            std::memcpy(reply.payload.data(), &value, 8);
            const Fd area(request == Request::GET_INFLIGHT_FD ? ::memfd_create("inflight", MFD_CLOEXEC) : -1);
            if (area) {
              reply = inflight(request, {4096, 0, 2, 256}, area.get());
              reply.flags |= wire::kFlagReply;
            }
            if (!channel.send(encode(reply), reply.fds, now_ns() + kSecond)) return;
          }
        }) {}
  void join() { thread_.join(); }

  std::vector<Request> seen;
  std::vector<size_t> fds;

 private:
  static uint64_t value_for(Request request, uint64_t features, uint64_t protocol) {
    if (request == Request::GET_FEATURES) return features;
    if (request == Request::GET_PROTOCOL_FEATURES) return protocol;
    return request == Request::GET_QUEUE_NUM || request == Request::GET_MAX_MEM_SLOTS ? 4 : 0;
  }

  std::thread thread_;
};

struct Party {
  Party() : memory(*GuestMemory::open({.regions = {{0, 1u << 20, 0}, {1u << 30, 1u << 20, 1u << 20}}})) {}
  HandshakeParty party() {
    return {
        .queues = 1,
        .memory = &memory,
        .configure = [this](uint64_t features) -> Result<void> {
          configured = features;
          return {};
        },
        .vring =
            [](uint16_t vring) { return VringFacts{.size = 256, .address = {.index = vring}, .base = 7}; }};
  }
  GuestMemory memory;
  uint64_t configured = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(session)

BOOST_AUTO_TEST_CASE(an_acknowledgement_is_waited_for_only_when_it_was_negotiated) {
  Pair pair;
  pair.session->need_reply = true;
  BOOST_TEST(pair.session->tell(plain(Request::SET_OWNER)).has_value());
  BOOST_TEST(pair.got().header.flags == wire::kFlagVersion);
  pair.session->protocol_features = bit(ProtocolFeature::REPLY_ACK);
  pair.answer(3, 0);
  BOOST_TEST(pair.session->tell(plain(Request::SET_OWNER)).has_value());
  BOOST_TEST(pair.got().header.flags == (wire::kFlagVersion | wire::kFlagNeedReply));
}

BOOST_AUTO_TEST_CASE(messages_that_do_not_depend_on_each_other_leave_before_the_first_is_answered) {
  Pair pair;
  std::vector<Message> questions;
  for (uint32_t vring = 0; vring < Session::kWindow; ++vring)
    questions.push_back(vring_state(Request::GET_VRING_BASE, vring, 0));
  std::thread backend([&] {  // which answers none before it has seen all
    for (size_t i = 0; i < questions.size(); ++i) pair.got();
    for (uint64_t i = 0; i < questions.size(); ++i) pair.answer(11, i);
  });
  const auto answers = pair.session->exchange_all(questions);
  backend.join();
  BOOST_TEST_REQUIRE(answers.has_value());
  BOOST_TEST(answers->size() == questions.size());
  BOOST_TEST(pair.session->log().back().number.value() == questions.size() - 1);
}

BOOST_AUTO_TEST_CASE(of_many_messages_the_first_that_is_refused_is_named_and_no_answer_is_left_over) {
  Pair pair;
  pair.session->need_reply = true;
  pair.session->protocol_features = bit(ProtocolFeature::REPLY_ACK);
  for (const uint64_t verdict : {0, 1, 0}) pair.answer(18, verdict);
  std::vector<Message> messages;
  for (uint32_t vring = 0; vring < 3; ++vring)
    messages.push_back(vring_state(Request::SET_VRING_ENABLE, vring, 1));
  const auto told = pair.session->tell_all(messages);
  BOOST_TEST(told.error().message == "SET_VRING_ENABLE was refused by the backend");
  pair.answer(3, 0);
  BOOST_TEST(pair.session->tell(plain(Request::SET_OWNER)).has_value());
}

BOOST_AUTO_TEST_CASE(a_backend_that_leaves_in_the_middle_ends_many_messages_at_once) {
  Pair pair;
  pair.answer(11, 0);
  pair.backend.reset();
  const auto told = pair.session->tell_all(
      {vring_state(Request::GET_VRING_BASE, 0, 0), vring_state(Request::GET_VRING_BASE, 1, 0)});
  BOOST_TEST((told.error().code == Errc::disconnected));
}

BOOST_AUTO_TEST_CASE(a_refusal_a_wrong_answer_silence_and_a_hang_up_are_four_different_things) {
  Pair pair(kSecond / 20);
  pair.session->need_reply = true;
  pair.session->protocol_features = bit(ProtocolFeature::REPLY_ACK);
  pair.answer(3, 1);
  BOOST_TEST((pair.session->tell(plain(Request::SET_OWNER)).error().code == Errc::refused));
  pair.answer(2, 0);
  BOOST_TEST((pair.session->tell(plain(Request::SET_OWNER)).error().code == Errc::protocol));
  pair.answer(3, 0, wire::kFlagVersion);  // without the reply flag
  BOOST_TEST((pair.session->tell(plain(Request::SET_OWNER)).error().code == Errc::protocol));
  BOOST_TEST((pair.session->tell(plain(Request::SET_OWNER)).error().code == Errc::timeout));
  pair.backend.reset();
  BOOST_TEST((pair.session->tell(plain(Request::SET_OWNER)).error().code == Errc::disconnected));
  BOOST_TEST(pair.session->channel().hung_up());
  BOOST_TEST(pair.session->log().size() == 5u);
  BOOST_TEST(pair.session->log()[0].number.value() == 1u);
  BOOST_TEST(!pair.session->log()[4].error.empty());
}

BOOST_AUTO_TEST_CASE(half_a_message_stays_half_a_message) {
  Pair pair;
  const auto whole = encode(number(Request::SET_FEATURES, 5));
  BOOST_TEST(pair.session->send_raw({whole.data(), 14}, {}).has_value());
  BOOST_TEST((pair.backend->receive(now_ns() + kSecond / 50).error().code == Errc::timeout));
}

BOOST_AUTO_TEST_CASE(as_many_descriptors_as_the_kernel_takes_arrive_and_more_are_refused) {
  Pair pair;
  const std::vector<int> many(kMaxPassedFds, 0), too_many(kMaxPassedFds + 1, 0);
  const auto whole = encode(plain(Request::GET_FEATURES));
  BOOST_TEST(pair.session->send_raw(whole, many).has_value());
  BOOST_TEST(pair.got().fds.size() == kMaxPassedFds);
  BOOST_TEST((pair.session->send_raw(whole, too_many).error().code == Errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_handshake_stops_after_any_message_and_goes_on_from_there) {
  Pair pair;
  Obliging backend(*pair.backend, UINT64_MAX, UINT64_MAX & ~bit(ProtocolFeature::STATUS));
  Party party;
  HandshakeSpec spec{.wanted = uint64_t{1} << 30 | uint64_t{1} << 32,
                     .wanted_protocol = bit(ProtocolFeature::REPLY_ACK) | bit(ProtocolFeature::MQ),
                     .need_reply = true,
                     .vring_order = usual_vring_order()};
  Handshake handshake(*pair.session, spec, party.party(), Handshake::From::start);
  BOOST_TEST(!*handshake.run(3, ""));
  BOOST_TEST(handshake.messages() == 3u);
  BOOST_TEST(!*handshake.run({}, "SET_MEM_TABLE"));
  BOOST_TEST(pair.session->log().back().request == static_cast<uint32_t>(Request::SET_MEM_TABLE));
  BOOST_TEST(*handshake.run({}, ""));
  BOOST_TEST(party.configured == spec.wanted);
  pair.session.reset();
  backend.join();
  const std::vector<Request> expected{Request::GET_FEATURES,
                                      Request::GET_PROTOCOL_FEATURES,
                                      Request::SET_PROTOCOL_FEATURES,
                                      Request::GET_QUEUE_NUM,
                                      Request::SET_OWNER,
                                      Request::SET_FEATURES,
                                      Request::SET_MEM_TABLE};
  BOOST_TEST((std::vector<Request>(backend.seen.begin(), backend.seen.begin() + 7) == expected));
  BOOST_TEST(backend.fds[6] == 2u);  // one per region
  BOOST_TEST(backend.seen.size() == 7u + 2 * 7u);
}

BOOST_AUTO_TEST_CASE(memory_goes_by_slots_and_an_inflight_area_is_kept_for_the_next_session) {
  Party party;
  Fd area;
  wire::VhostUserInflight description{};
  const HandshakeSpec spec{
      .wanted = uint64_t{1} << 30,
      .wanted_protocol = bit(ProtocolFeature::INFLIGHT_SHMFD) | bit(ProtocolFeature::CONFIGURE_MEM_SLOTS),
      .memory_slots = true,
      .vring_order = usual_vring_order()};
  const auto count = [](const Obliging& backend, Request request) {
    return std::ranges::count(backend.seen, request);
  };
  for (const int session : {1, 2}) {
    Pair pair;
    Obliging backend(*pair.backend, UINT64_MAX, UINT64_MAX & ~bit(ProtocolFeature::STATUS));
    auto both = party.party();
    both.inflight = &area;
    both.inflight_area = &description;
    BOOST_TEST(*Handshake(*pair.session, spec, std::move(both), Handshake::From::start).run({}, ""));
    pair.session.reset();
    backend.join();
    BOOST_TEST(count(backend, Request::SET_MEM_TABLE) == 0);
    BOOST_TEST(count(backend, Request::ADD_MEM_REG) == 2);
    BOOST_TEST(count(backend, Request::GET_INFLIGHT_FD) == (session == 1 ? 1 : 0));
    BOOST_TEST(count(backend, Request::SET_INFLIGHT_FD) == 1);
    BOOST_TEST(area.get() >= 0);
    BOOST_TEST(description.mmap_size == 4096u);
  }
}

BOOST_AUTO_TEST_CASE(without_the_protocol_bit_no_protocol_message_and_no_enable_is_sent) {
  Pair pair;
  Obliging backend(*pair.backend, uint64_t{1} << 32, 0);
  Party party;
  HandshakeSpec spec{.wanted = UINT64_MAX, .vring_order = usual_vring_order()};
  BOOST_TEST(*Handshake(*pair.session, spec, party.party(), Handshake::From::start).run({}, ""));
  pair.session.reset();
  backend.join();
  for (const Request request : backend.seen) {
    BOOST_TEST((request != Request::GET_PROTOCOL_FEATURES));
    BOOST_TEST((request != Request::SET_VRING_ENABLE));
  }
}

BOOST_AUTO_TEST_CASE(a_miss_on_the_backends_channel_is_answered_with_the_page_around_it) {
  Pair pair;
  Party party;
  auto requests = BackendRequests::create(kSecond);
  BOOST_TEST_REQUIRE(requests.has_value());
  Channel backend(Fd(::dup(requests->backend_end())));
  Message miss = iotlb({(1u << 30) + 5000, 0, 0, 2, 1});
  miss.request = static_cast<uint32_t>(wire::BackendRequest::IOTLB_MSG);
  BOOST_TEST_REQUIRE(backend.send(encode(miss), {}, now_ns() + kSecond).has_value());
  BOOST_TEST(requests->serve(*pair.session, party.memory, true, 4096).has_value());
  const Received update = pair.got();
  BOOST_TEST(update.header.request == static_cast<uint32_t>(Request::IOTLB_MSG));
  wire::Iotlb entry;
  std::memcpy(&entry, update.payload.data(), sizeof entry);
  BOOST_TEST(entry.iova == (1u << 30) + 4096);
  BOOST_TEST(entry.size == 4096u);
  BOOST_TEST(entry.user_address == party.memory.user_address((1u << 30) + 4096));
  BOOST_TEST(int{entry.permission} == 2);
  BOOST_TEST(int{entry.type} == 2);
  BOOST_TEST(!iotlb_update(party.memory, 1u << 21, 3, 4096).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
