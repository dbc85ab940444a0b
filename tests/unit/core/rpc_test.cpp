// The switch as a client of its control socket sees it, good and bad clients alike.
#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include "core/app/switch_app.hpp"
#include "core/base/unix_socket.hpp"
#include "tests/unit/core/live.hpp"

using namespace testbed;
using nlohmann::json;

namespace {

struct Served {
  Served() {
    SwitchSettings settings;
    settings.directory = scratch.path;
    auto started = SwitchApp::start(process, settings, ports.factories());
    BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
    app = std::move(*started);
    BOOST_REQUIRE(app->boot(lan_of(2)).has_value());
    BOOST_REQUIRE(process.rpc().listen(scratch.file("s")).has_value());
    loop = std::thread([this] { process.run(); });
  }
  ~Served() {
    boost::asio::post(process.io(), [this] { process.stop(true); });
    loop.join();
    app.reset();
  }

  Fd connect() const {
    Fd fd = std::move(*connect_unix(scratch.file("s")));
    const timeval deadline = {10, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    ::fcntl(fd.get(), F_SETFL, 0);  // blocking
    return fd;
  }
  static void send(const Fd& fd, const std::string& text) {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t n = ::send(fd.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;  // dropped by the server
      sent += static_cast<size_t>(n);
    }
  }
  // One line; empty when the server closed.
  static std::string line(const Fd& fd) {
    std::string text;
    for (char c; ::recv(fd.get(), &c, 1, 0) == 1 && c != '\n';) text += c;
    return text;
  }
  json call(const std::string& method, const json& params = json::object()) const {
    const Fd fd = connect();
    send(fd, json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}.dump() + "\n");
    return json::parse(line(fd));
  }
  json result(const std::string& method, const json& params = json::object()) const {
    return call(method, params).at("result");
  }

  Scratch scratch;
  Process process{"test"};
  FakePorts ports;
  std::unique_ptr<SwitchApp> app;
  std::thread loop;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(rpc)

BOOST_FIXTURE_TEST_CASE(every_method_of_the_protocol_answers, Served) {
  BOOST_TEST(result("status")["workers"].size() == 1u);
  BOOST_TEST(result("ports")["p0"]["state"] == "up");
  BOOST_TEST(result("config")["ports"].size() == 2u);
  BOOST_TEST(result("fdb", {{"brick", "lan"}})["capacity"] == 16384);
  BOOST_TEST(result("timeline", {{"port", "p0"}})["messages"].empty());
  BOOST_TEST(result("graph")["dot"].get<std::string>().find("\"lan\" -- \"p0\"") != std::string::npos);
  BOOST_TEST(result("resources").contains("mbufs_in_use"));
  BOOST_TEST(result("disconnect", {{"port", "p1"}}).empty());
  BOOST_TEST(ports["p1"].disconnects == 1);
  BOOST_TEST(result("apply", lan_of(3))["actions"][0] == "add port p2");
}

BOOST_FIXTURE_TEST_CASE(counters_and_metrics_say_the_same, Served) {
  ports["p0"].inject(frame(kBroadcast, station(1)), 10);
  BOOST_REQUIRE(ports["p1"].wait_for(10, std::chrono::seconds(10)));
  BOOST_TEST(Live::eventually([&] { return result("counters")["totals"]["sent"] == 10; }));
  const json counters = result("counters");
  BOOST_TEST(counters["ports"]["p0"]["rx_packets"] == 10);
  BOOST_TEST(counters["ports"]["p1"]["queues"][0]["tx_bytes"] == 640);
  BOOST_TEST(counters["bricks"]["lan"]["flooded"] == 10);
  BOOST_TEST(counters["bricks"]["lan"]["learned"] == 1);
  const std::string text = result("metrics")["text"];
  BOOST_TEST(text.find("testbed_port_sent_packets_total{port=\"p1\",queue=\"0\"} 10\n") != std::string::npos);
  BOOST_TEST(text.ends_with("# EOF\n"));
}

BOOST_FIXTURE_TEST_CASE(what_does_not_exist_is_not_found_and_what_there_is_is_named, Served) {
  const json error = call("timeline", {{"port", "p9"}})["error"];
  BOOST_TEST(error["data"]["code"] == "not_found");
  BOOST_TEST(error["message"].get<std::string>().find("p0, p1") != std::string::npos);
  BOOST_TEST(call("fdb", json::array())["error"]["data"]["code"] == "invalid_argument");
  BOOST_TEST(call("fdb", {{"brick", 7}})["error"]["data"]["code"] == "invalid_argument");
}

BOOST_FIXTURE_TEST_CASE(a_refused_configuration_names_every_mistake_by_path, Served) {
  json wrong = lan_of(2);
  wrong["ports"]["p0"]["queues"] = 0;
  wrong["zap"] = 1;
  const json data = call("apply", wrong)["error"]["data"];
  BOOST_TEST(data["errors"].size() == 2u);
  BOOST_TEST(data["errors"][0]["path"] == "ports.p0.queues");
  for (const json& params : {json(7), json::array({1, 2}), json("x")})
    BOOST_TEST(call("apply", params).contains("error"), params.dump());
  BOOST_TEST(result("ports").size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(garbage_half_lines_and_endless_lines_hurt_nobody_else, Served) {
  const Fd half = connect();
  send(half, R"({"jsonrpc": "2.0", "id": 1, "meth)");
  const Fd garbage = connect();
  send(garbage, std::string("\x00\xff\x7f{{{]\n", 9));
  BOOST_TEST(json::parse(line(garbage))["error"]["code"] == -32700);
  send(garbage, std::string(100'000, '[') + "\n");
  BOOST_TEST(json::parse(line(garbage))["error"]["code"] == -32700);
  const Fd endless = connect();
  send(endless, std::string(RpcServer::kMaxLine + 1, 'x'));
  BOOST_TEST(line(endless).empty());  // closed
  BOOST_TEST(result("ports").size() == 2u);
  send(half, "od\": \"ping\"}\n");
  BOOST_TEST(json::parse(line(half))["result"].contains("t"));
}

BOOST_AUTO_TEST_SUITE_END()
