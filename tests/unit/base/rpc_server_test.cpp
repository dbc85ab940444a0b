#include <sys/socket.h>

#include <chrono>
#include <optional>

#include <boost/test/unit_test.hpp>

#include "core/base/rpc_server.hpp"
#include "core/base/unix_socket.hpp"
#include "tests/unit/base/scratch.hpp"

using namespace testbed;
using nlohmann::json;

namespace {

struct Served {
  Served() {
    server.method("echo", [](const json& params) -> Result<json> { return params; });
    server.method("typed", [](const json& params) -> Result<json> { return params.at("n").get<int>() + 1; });
    server.method("no", [](const json&) -> Result<json> { return fail(Errc::not_found, "there is none"); });
    BOOST_REQUIRE(server.listen(scratch.file("rpc")).has_value());
  }

  Fd client() {
    auto fd = connect_unix(scratch.file("rpc"));
    BOOST_REQUIRE(fd.has_value());
    return std::move(*fd);
  }
  static void send(const Fd& fd, const std::string& bytes) {
    BOOST_REQUIRE_EQUAL(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.size());
  }
  // The next line, or nothing when the server closed the connection or two seconds passed.
  std::optional<json> line(const Fd& fd) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (std::chrono::steady_clock::now() < deadline) {
      if (auto end = buffer.find('\n'); end != std::string::npos) {
        json document = json::parse(buffer.substr(0, end));
        buffer.erase(0, end + 1);
        return document;
      }
      io.restart();
      io.run_for(std::chrono::milliseconds(1));
      char bytes[65536];
      const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, 0);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return std::nullopt;
      if (got > 0) buffer.append(bytes, static_cast<size_t>(got));
    }
    return std::nullopt;
  }

  Scratch scratch;
  boost::asio::io_context io;
  EventLog events;
  RpcServer server{io, events};
  std::string buffer;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(rpc_server, Served)

BOOST_AUTO_TEST_CASE(a_request_gets_its_result_under_its_id) {
  const Fd fd = client();
  send(fd, R"({"jsonrpc":"2.0","id":7,"method":"echo","params":{"a":1}})" "\n");
  const auto reply = line(fd);
  BOOST_REQUIRE(reply.has_value());
  BOOST_TEST((*reply)["id"] == 7);
  BOOST_TEST((*reply)["result"]["a"] == 1);
}

BOOST_AUTO_TEST_CASE(garbage_is_answered_and_the_connection_lives_on) {
  const Fd fd = client();
  send(fd, "GET / HTTP/1.1\n\xff\xfe\n[]\n{\"method\": 3}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
  BOOST_TEST((*line(fd))["error"]["code"] == -32700);
  BOOST_TEST((*line(fd))["error"]["code"] == -32700);
  BOOST_TEST((*line(fd))["error"]["code"] == -32600);
  BOOST_TEST((*line(fd))["error"]["code"] == -32600);
  BOOST_TEST((*line(fd))["id"] == 1);
}

BOOST_AUTO_TEST_CASE(an_error_carries_its_code_and_a_wrong_type_is_the_callers_mistake) {
  const Fd fd = client();
  send(fd, R"({"jsonrpc":"2.0","id":1,"method":"no"})" "\n");
  BOOST_TEST((*line(fd))["error"]["data"]["code"] == "not_found");
  send(fd, R"({"jsonrpc":"2.0","id":2,"method":"typed","params":{"n":"x"}})" "\n");
  BOOST_TEST((*line(fd))["error"]["data"]["code"] == "invalid_argument");
  send(fd, R"({"jsonrpc":"2.0","id":3,"method":"nonsense"})" "\n");
  BOOST_TEST((*line(fd))["error"]["code"] == -32601);
}

BOOST_AUTO_TEST_CASE(half_a_line_blocks_nobody) {
  const Fd half = client();
  send(half, R"({"jsonrpc":"2.0","id":1,)");
  const Fd whole = client();
  send(whole, R"({"jsonrpc":"2.0","id":2,"method":"echo"})" "\n");
  BOOST_TEST((*line(whole))["id"] == 2);
}

BOOST_AUTO_TEST_CASE(a_line_without_end_costs_its_sender_the_connection) {
  const Fd fd = client();
  const std::string chunk(65536, 'x');
  bool closed = false;
  for (size_t sent = 0; sent < 4 * RpcServer::kMaxLine && !closed;) {
    const ssize_t n = ::send(fd.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    closed = n < 0 && errno != EAGAIN;
    io.restart();
    io.run_for(std::chrono::milliseconds(1));
  }
  BOOST_TEST(closed);
  const Fd other = client();
  send(other, R"({"jsonrpc":"2.0","id":2,"method":"echo"})" "\n");
  BOOST_TEST((*line(other))["id"] == 2);
}

BOOST_AUTO_TEST_CASE(a_late_subscriber_gets_every_event_once_and_in_order) {
  events.emit("one");
  events.emit("two");
  const Fd fd = client();
  send(fd, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"since":1}})" "\n");
  events.emit("three");  // its broadcast is queued before the subscription is served
  BOOST_TEST((*line(fd))["result"]["next"].get<int>() >= 3);
  for (int seq = 1; seq <= 3; ++seq) BOOST_TEST((*line(fd))["params"]["seq"] == seq);
  events.emit("four");
  BOOST_TEST((*line(fd))["params"]["name"] == "four");
}

BOOST_AUTO_TEST_SUITE_END()
