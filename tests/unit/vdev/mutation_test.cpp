// Random mutations of a legal handshake, through the whole gate: what reaches the back-end is held against a
// judgement of its own, written from the specification without a look at the rules.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <random>

#include "gate_rig.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/message_judge.hpp"
#include "vdev/wire/virtio_features.hpp"

using namespace testbed;
using namespace testbed::test;
using gate::Message;
using wire::Feature;
using wire::Request;

namespace {

constexpr uint64_t kBase = 0x7f0000000000;
constexpr uint64_t kSize = 0x40000;
constexpr uint64_t kFeatures = bit(Feature::RING_PACKED) | bit(Feature::RING_EVENT_IDX) |
                               bit(Feature::LOG_ALL) | bit(Feature::NET_MQ) | bit(Feature::PROTOCOL_FEATURES);

// What the descriptors of a message are, found out without the gate's help: here they are memfds, which can
// be sealed, and eventfds.
std::vector<JudgedFd> described(const Message& message) {
  std::vector<JudgedFd> all;
  for (const Fd& fd : message.fds) {
    struct stat info {};
    BOOST_TEST(::fstat(fd.get(), &info) == 0);
    const bool waits = (::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) == 0;
    const bool file = ::fcntl(fd.get(), F_GET_SEALS) >= 0;
    all.push_back({file, !file && !waits, static_cast<uint64_t>(info.st_size)});
  }
  return all;
}

class JudgingBackend : public gate::Backend {
 public:
  void submit(Message request, Answer answer) override {
    BOOST_TEST(judge_.see(request, described(request)) == "");
    if (request.is(Request::GET_VRING_BASE)) return answer(std::move(request));
    const bool asked = request.is(Request::GET_FEATURES) || request.is(Request::GET_PROTOCOL_FEATURES);
    answer(gate::make_message(request.request(), wire::kFlagReply, asked ? ~uint64_t{0} : uint64_t{0}));
  }
  void on_lost(std::function<void(const Error&)>) override {}

 private:
  MessageJudge judge_{kFeatures, 2};
};

struct JudgingHost final : gate::SessionHost {
  Result<std::unique_ptr<gate::Backend>> open_backend(gate::Session&) override {
    return std::make_unique<JudgingBackend>();
  }
  void message_accepted(Request request) override { kicks += request == Request::SET_VRING_KICK; }
  void session_over() override { ++over; }
  uint64_t capability() const override { return kFeatures; }
  uint64_t protocol_capability() const override { return ~uint64_t{0}; }

  int over = 0;
  size_t kicks = 0;
};

// Numbers that are wrong somewhere.
constexpr uint64_t kInteresting[] = {0,
                                     1,
                                     3,
                                     7,
                                     8,
                                     0x100,
                                     0xffff,
                                     0x10000,
                                     0x8000,
                                     0x800,
                                     0x80008000,
                                     0xffffffff,
                                     kSize,
                                     kSize - 128,
                                     kBase + kSize - 64,
                                     kBase,
                                     4096,
                                     ~uint64_t{0},
                                     ~uint64_t{0} - 4095};

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {
    BOOST_REQUIRE_EQUAL(::ftruncate(memory_.get(), kSize), 0);
  }

  // A handshake of some kind, its messages changed, left out, repeated and exchanged here and there.
  void play(Frontend& frontend) {
    const uint64_t features =
        random_() % 2 ? bit(Feature::RING_PACKED) | bit(Feature::NET_MQ) : random_() & kFeatures;
    std::vector<std::pair<Message, std::vector<int>>> all;
    const auto add = [&](Request request, const auto& payload, std::vector<int> fds = {}) {
      all.emplace_back(gate::make_message(request, wire::kFlagNeedReply, payload), std::move(fds));
    };
    add(Request::SET_PROTOCOL_FEATURES, uint64_t{0x10cbf});
    add(Request::SET_FEATURES, features);
    add(Request::SET_MEM_TABLE, wire::MemoryTable{1, 0, {wire::MemoryRegion{0, kSize, kBase, 0}}},
        {memory_.get()});
    add(Request::SET_LOG_BASE, wire::Log{4096, 4096}, {memory_.get()});
    for (uint32_t ring = 0; ring < 4; ++ring) {
      const uint64_t at = kBase + 0x8000 * ring;
      add(Request::SET_VRING_NUM, wire::VringState{ring, 256});
      add(Request::SET_VRING_BASE, wire::VringState{ring, 0});
      add(Request::SET_VRING_ADDR, wire::VringAddr{ring, 0, at, at + 0x2000, at + 0x1000, 0});
      add(Request::SET_VRING_CALL, uint64_t{ring}, {bell_.get()});
      add(Request::SET_VRING_KICK, uint64_t{ring}, {bell_.get()});
      add(Request::SET_VRING_ENABLE, wire::VringState{ring, 1});
      if (random_() % 4 == 0) add(Request::GET_VRING_BASE, wire::VringState{ring, 0});
      if (random_() % 4 == 0) add(Request::SET_FEATURES, random_() & kFeatures);
      if (random_() % 4 == 0) add(Request::SET_VRING_KICK, uint64_t{ring}, {bell_.get()});
    }
    const size_t swaps = random_() % 6;
    for (size_t i = 0; i < swaps; ++i) std::swap(all[random_() % all.size()], all[random_() % all.size()]);
    for (auto& [message, fds] : all) {
      if (random_() % 16 == 0) continue;
      if (random_() % 3 == 0) change(message, fds);
      frontend.send_message(message, fds);
    }
  }

 private:
  void change(Message& message, std::vector<int>& fds) {
    switch (random_() % 8) {
      case 0:
        message.header.request = static_cast<uint32_t>(random_() % 46);
        break;
      case 1:
        message.payload.resize(random_() % 64);
        message.header.size = static_cast<uint32_t>(message.payload.size());
        break;
      case 2:
        fds.assign(random_() % 3, random_() % 2 ? memory_.get() : bell_.get());
        break;
      default:
        const uint64_t value = kInteresting[random_() % std::size(kInteresting)];
        const size_t width = random_() % 2 ? 4 : 8;
        if (message.payload.size() < width) break;
        const size_t at = random_() % std::min<size_t>(message.payload.size() / width, 6) * width;
        std::memcpy(message.payload.data() + at, &value, width);
    }
  }

  std::mt19937 random_;
  Fd memory_{::memfd_create("guest", 0)};
  Fd bell_{::eventfd(0, 0)};
};

}  // namespace

BOOST_AUTO_TEST_CASE(no_mutation_of_a_handshake_brings_the_backend_what_it_must_not_get) {
  const char* rounds = std::getenv("TESTBED_MUTATIONS");
  const int count = rounds != nullptr ? std::atoi(rounds) : static_cast<int>(effort(500));
  JudgingHost host;
  size_t before = 0;
  for (int seed = 0; seed < count; ++seed) {
    BOOST_TEST_INFO_SCOPE("seed " << seed);
    {
      GateRig rig;
      auto port =
          gate::Endpoint::open(rig.io, rig.events, rig.watch,
                               {"p0", rig.scratch.file("p0"), gate::Role::server, 2}, rig.memory, host);
      BOOST_REQUIRE(port);
      Frontend frontend = Frontend::connect(rig.scratch.file("p0"));
      Mutator(static_cast<unsigned>(seed)).play(frontend);
      ::shutdown(frontend.fd(), SHUT_WR);
      BOOST_REQUIRE(rig.until([&] { return host.over == seed + 1; }));
    }
    if (seed == 10) before = open_descriptors();
    if (seed > 10) BOOST_TEST(open_descriptors() == before);
  }
  BOOST_TEST(host.kicks > static_cast<size_t>(count));  // most handshakes get as far as that
}
