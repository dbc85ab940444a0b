// The gate's rules: any messages with any descriptors, in any order, and what the back-end says to them. What
// passes is judged a second time, by the specification alone.
//
// An input is a sequence of messages:
//   u8 request; bit 7: an answer of the back-end to that request
//   u8 flags of the header (they are 32 bits on the wire, four of which mean something)
//   u8 n: descriptors, modulo 10; each u8 what it is, u8 which file, u32 its size
//   u16 length of the payload, modulo 300; then the payload
#include "tests/fuzz/target.hpp"
#include "tests/support/message_judge.hpp"
#include "vdev/gate/rules.hpp"
#include "vdev/wire/virtio_features.hpp"

using namespace testbed;
using fuzz::expect;
using gate::FdFacts;
using gate::Message;
using wire::Feature;
using wire::Request;

namespace {

constexpr uint64_t kFeatures = bit(Feature::RING_PACKED) | bit(Feature::RING_EVENT_IDX) |
                               bit(Feature::NET_MQ) | bit(Feature::NET_MRG_RXBUF) | bit(Feature::LOG_ALL) |
                               bit(Feature::VERSION_1) | bit(Feature::PROTOCOL_FEATURES);
constexpr uint64_t kProtocol = 0x10cbf;
constexpr uint16_t kPairs = 2;

struct Said {
  bool answer = false;
  Message message;
  std::vector<FdFacts> fds;
};

FdFacts take_descriptor(fuzz::Input& input) {
  const auto what = input.take<uint8_t>();
  FdFacts facts;
  facts.kind = static_cast<FdFacts::Kind>(what % 7);
  facts.writable = (what & 0x80) == 0;
  facts.shrinkable = (what & 0x40) == 0;
  facts.page_size = (what & 0x20) == 0 ? 4096 : 2u << 20;
  facts.id = {1, input.take<uint8_t>()};
  facts.size = input.take<uint32_t>();
  return facts;
}

Said take_message(fuzz::Input& input) {
  Said said;
  const auto request = input.take<uint8_t>();
  said.answer = (request & 0x80) != 0;
  said.message.header.request = request & 0x7f;
  said.message.header.flags = input.take<uint8_t>();
  const size_t descriptors = input.take<uint8_t>() % 10;
  for (size_t i = 0; i < descriptors; ++i) said.fds.push_back(take_descriptor(input));
  const auto payload = input.take(input.take<uint16_t>() % 300);
  said.message.payload.resize(payload.size());
  std::memcpy(said.message.payload.data(), payload.data(), payload.size());
  said.message.header.size = static_cast<uint32_t>(payload.size());
  return said;
}

class Session {
 public:
  void request(const Said& said) {
    const auto refusal = rules_.request(said.message, said.fds);
    const auto again = rules_.request(said.message, said.fds);
    expect(refusal.has_value() == again.has_value(), "the same question has the same answer");
    rules_.wants_reply(said.message);
    if (refusal)
      return expect(refusal->reason < gate::Reason::count_ && !refusal->detail.empty(), "a refusal says why");
    if (!rules_.changes_nothing(said.message, said.fds)) pass(said);
  }
  void answer(Said said) {
    gate::Rules::says_no(said.message.request(), said.message);
    rules_.reply(said.message.request(), said.message);
    const uint64_t value = said.message.as<uint64_t>().value_or(0);
    if (said.message.is(Request::GET_FEATURES))
      expect((value & ~kFeatures) == 0, "no more is offered than the port has");
    if (said.message.is(Request::GET_PROTOCOL_FEATURES))
      expect((value & ~kProtocol) == 0, "no more protocol features are offered than the port has");
    if (said.message.is(Request::GET_QUEUE_NUM))
      expect(value <= kPairs, "no more queues are offered than the port has");
  }

 private:
  void pass(const Said& said) {
    std::vector<test::JudgedFd> fds;
    for (const FdFacts& fd : said.fds)
      fds.push_back({fd.kind == FdFacts::Kind::file, fd.kind == FdFacts::Kind::eventfd, fd.size});
    const std::string wrong = judge_.see(said.message, fds);
    expect(wrong.empty(), "what passes may be asked of a back-end, but this was " + wrong);
    rules_.accepted(said.message, said.fds);
    if (said.message.is(Request::SET_MEM_TABLE))
      expect(rules_.changes_nothing(said.message, said.fds), "the table that is in force changes nothing");
  }

  gate::Rules rules_{gate::Offer{kFeatures, kProtocol, kPairs}};
  test::MessageJudge judge_{kFeatures, kPairs};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  Session session;
  while (!input.empty()) {
    Said said = take_message(input);
    if (said.answer)
      session.answer(std::move(said));
    else
      session.request(said);
  }
  return 0;
}
