// Answers and a back-end's own requests, as the golden vectors have them, through the driver's ears.
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/clock.hpp"
#include "emu/driver/app/payload.hpp"
#include "emu/driver/session/backend_requests.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::driver {
namespace {

using nlohmann::json;
using Bytes = std::vector<uint8_t>;

constexpr uint64_t kWithin_ns = 5'000'000'000;

json vectors(const char* kind) {
  std::ifstream file(std::string(TB_VECTORS) + "/vhost_user.json");
  return json::parse(file)[kind];
}

Bytes bytes_of(const json& text) {
  return *from_hex(text.get<std::string>());
}

struct Pair {
  Pair() {
    int ends[2];
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    session.emplace(Fd(ends[0]), kWithin_ns);
    backend.emplace(Fd(ends[1]));
  }
  std::optional<Session> session;
  std::optional<Channel> backend;
};

void say(Channel& channel, const json& vector) {
  const Fd event(::eventfd(0, EFD_CLOEXEC));
  const std::vector<int> fds(vector["fds"].get<size_t>(), event.get());
  BOOST_TEST_REQUIRE(channel.send(bytes_of(vector["bytes"]), fds, now_ns() + kWithin_ns).has_value());
}

// The payload as this side's structures have it: a number, or what the request carries too.
Bytes built(uint32_t request, const json& payload) {
  if (payload.empty()) return {};
  const auto like = payload.contains("u64") ? static_cast<uint32_t>(wire::Request::SET_FEATURES) : request;
  return *read_payload(like, payload, {});
}

uint32_t backend_request(const json& name) {
  return static_cast<uint32_t>(std::ranges::find(wire::kBackendRequestNames, name.get<std::string>()) -
                               wire::kBackendRequestNames.begin());
}

Bytes built_by_backend(const json& payload) {
  if (payload.contains("uuid")) return bytes_of(payload["uuid"]);
  if (payload.contains("iova")) return built(static_cast<uint32_t>(wire::Request::IOTLB_MSG), payload);
  if (payload.contains("num")) return built(static_cast<uint32_t>(wire::Request::VRING_KICK), payload);
  if (payload.empty()) return {};
  const uint64_t index = payload["index"].get<uint64_t>() | (payload.contains("nofd") ? wire::kVringNoFd : 0);
  const wire::VringArea area{index, payload["size"], payload["offset"]};
  const auto* from = reinterpret_cast<const uint8_t*>(&area);
  return {from, from + sizeof area};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(answers)

BOOST_AUTO_TEST_CASE(every_answer_is_understood_as_the_vectors_say) {
  for (const json& vector : vectors("answers")) {
    BOOST_TEST_CONTEXT(vector["message"]) {
      Pair pair;
      const uint32_t request = *request_number(vector["message"].get<std::string>());
      say(*pair.backend, vector);
      const auto answer = pair.session->exchange({.request = request}, true);
      BOOST_TEST_REQUIRE(answer.has_value());
      BOOST_TEST((*answer)->payload == built(request, vector["payload"]), boost::test_tools::per_element());
      BOOST_TEST((*answer)->fds.size() == vector["fds"].get<size_t>());
      if (vector["payload"].contains("u64"))
        BOOST_TEST(*pair.session->log().back().number == vector["payload"]["u64"].get<uint64_t>());
    }
  }
}

BOOST_AUTO_TEST_CASE(every_request_of_a_backend_is_understood_and_acknowledged_as_the_vectors_say) {
  const auto memory = GuestMemory::open({.regions = {{0, 1u << 20, 0}}});
  for (const json& vector : vectors("backend_requests")) {
    BOOST_TEST_CONTEXT(vector["message"]) {
      Pair pair;
      auto requests = BackendRequests::create(kWithin_ns);
      Channel backend(Fd(::dup(requests->backend_end())));
      say(backend, vector);
      const uint32_t number = backend_request(vector["message"]);
      Message known{.request = number, .payload = built_by_backend(vector["payload"])};
      if (vector.value("need_reply", false)) known.flags |= wire::kFlagNeedReply;
      BOOST_TEST(encode(known) == bytes_of(vector["bytes"]), boost::test_tools::per_element());
      BOOST_TEST(*requests->serve(*pair.session, *memory, true, 4096) == number);
      BOOST_TEST(pair.session->log().front().fds == vector["fds"].get<size_t>());
      if (!vector.contains("acknowledged")) continue;
      const auto said = backend.receive(now_ns() + kWithin_ns);
      Message told{.request = said->header.request, .flags = said->header.flags, .payload = said->payload};
      BOOST_TEST(encode(told) == bytes_of(vector["acknowledged"]), boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace testbed::driver
