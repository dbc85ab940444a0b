// What a user can write, and what is said of mistakes.
#include "emu/proxy/config.hpp"

#include "core/base/rpc_server.hpp"
#include "emu/proxy/proxy.hpp"
#include "tests/unit/proxy/peers.hpp"

using namespace peers;
using testbed::proxy::Proxy;

namespace {

std::string mistakes_in(const json& fault) {
  Mistakes mistakes;
  BOOST_TEST(!parse_fault(fault, "", mistakes).has_value());
  std::string all;
  for (const auto& [path, message] : mistakes) all += path + ": " + message + "\n";
  return all;
}

bool accepted(const json& fault) {
  Mistakes mistakes;
  return parse_fault(fault, "", mistakes).has_value() && mistakes.empty();
}

const json kLeg = {{"front", {{"path", "f"}, {"role", "server"}}},
                   {"back", {{"path", "b"}, {"role", "client"}}}};

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(every_fault_of_the_documentation_is_understood) {
  BOOST_TEST(accepted({{"kind", "cut"}, {"after_message", 7}, {"times", 3}}));
  BOOST_TEST(accepted({{"kind", "cut"}, {"before_message", "SET_MEM_TABLE"}, {"dir", "frontend"}}));
  BOOST_TEST(accepted({{"kind", "hold"}, {"message", "SET_MEM_TABLE"}, {"bytes", 20}, {"for_ms", 500}}));
  BOOST_TEST(accepted({{"kind", "delay"}, {"ms", 5}, {"for_ms", 100}}));
  BOOST_TEST(accepted({{"kind", "delay"}, {"ms", 5}, {"message", 3}, {"dir", "backend"}}));
  BOOST_TEST(accepted({{"kind", "drop_reply"}, {"message", "GET_VRING_BASE"}}));
  BOOST_TEST(accepted({{"kind", "duplicate_reply"}}));
  BOOST_TEST(accepted({{"kind", "lose_fd"}, {"message", "SET_MEM_TABLE"}, {"index", 0}}));
  BOOST_TEST(accepted({{"kind", "corrupt"}, {"message", 2}, {"offset", 12}, {"bytes", "ff00"}}));
  BOOST_TEST(accepted({{"kind", "slow"}, {"bytes_per_s", 100}, {"for_ms", 100}}));
}

BOOST_AUTO_TEST_CASE(mistakes_in_a_fault_are_named_with_what_would_be_right) {
  BOOST_TEST(mistakes_in({{"kind", "chop"}}).find("cut, hold, delay") != std::string::npos);
  BOOST_TEST(mistakes_in({{"kind", "cut"}}).find("after_message") != std::string::npos);
  BOOST_TEST(mistakes_in({{"kind", "cut"}, {"after_message", "SET_MEMTABLE"}}).find("SET_MEM_TABLE") !=
             std::string::npos);
  BOOST_TEST(mistakes_in({{"kind", "cut"}, {"after_message", 0}}).find("from 1") != std::string::npos);
  BOOST_TEST(mistakes_in({{"kind", "delay"}}).find("ms: is missing") != std::string::npos);
  BOOST_TEST(mistakes_in({{"kind", "slow"}}).find("bytes_per_s: is missing") != std::string::npos);
  BOOST_TEST(mistakes_in({{"kind", "hold"}}).find("message: is missing") != std::string::npos);
  for (const char* wrong : {"f", "zz", "0x", "f f0", "+1"})
    BOOST_TEST(mistakes_in({{"kind", "corrupt"}, {"message", 1}, {"bytes", wrong}}).find("hexadecimal") !=
               std::string::npos);
  BOOST_TEST(mistakes_in({{"kind", "drop_reply"}, {"dir", "frontend"}}).find("dir: is not an option") !=
             std::string::npos);
  BOOST_TEST(mistakes_in(json::array()).find("must be an object") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(all_mistakes_of_a_configuration_come_at_once_with_their_paths) {
  json bad = kLeg;
  bad["front"]["role"] = "listener";
  bad["back"] = {{"role", "client"}};
  bad["faults"] = {{{"kind", "cut"}}};
  const auto parsed = parse_config({{"legs", {{"a", bad}}}, {"lags", 1}}, "/d");
  BOOST_REQUIRE(!parsed);
  std::vector<std::string> paths;
  for (const auto& mistake : parsed.error().mistakes) paths.push_back(mistake.path);
  BOOST_TEST((paths == std::vector<std::string>{"legs.a.front.role", "legs.a.back.path",
                                                "legs.a.faults[0].after_message", "lags"}));
}

BOOST_AUTO_TEST_CASE(relative_paths_start_from_the_directory_and_long_ones_are_named) {
  const auto good = parse_config({{"legs", {{"a", kLeg}}}}, "/d");
  BOOST_REQUIRE(good.has_value());
  BOOST_TEST(good->front().front.path == "/d/f");
  const auto bad = parse_config({{"legs", {{"a", kLeg}}}}, "/" + std::string(120, 'x'));
  BOOST_REQUIRE(!bad);
  BOOST_TEST(bad.error().message.find("too long") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_leg_that_would_talk_to_itself_is_refused) {
  json leg = kLeg;
  leg["back"]["path"] = "f";
  BOOST_TEST(!parse_leg("a", leg, "/d").has_value());
}

BOOST_FIXTURE_TEST_CASE(a_configuration_is_applied_whole_or_not_at_all, Loop) {
  Proxy proxy(io, events, scratch.path);
  const Fd live = std::move(*listen_unix(scratch.file("taken")));
  json second = kLeg;
  second["front"]["path"] = "taken";
  BOOST_TEST(!proxy.configure({{"legs", {{"a", kLeg}, {"b", second}}}}).has_value());
  BOOST_TEST(proxy.size() == 0);
  BOOST_TEST(!std::filesystem::exists(scratch.file("f")));
  BOOST_TEST(proxy.configure({{"legs", {{"a", kLeg}}}}).has_value());
  BOOST_TEST(count("proxy.ready") == 1);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

// A proxy behind its JSON-RPC methods.
struct Served : Loop {
  Served() {
    proxy.register_methods(rpc);
    int fds[2];
    BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    client.fd.reset(fds[0]);
    rpc.serve(Socket(io, boost::asio::local::stream_protocol(), fds[1]));
  }
  json call(const std::string& method, const json& params = json::object()) {
    const std::string line =
        json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}.dump() + "\n";
    client.send({reinterpret_cast<const std::byte*>(line.data()),
                 reinterpret_cast<const std::byte*>(line.data()) + line.size()});
    client.bytes.clear();
    BOOST_REQUIRE(until([this] {
      client.look();
      return !client.bytes.empty() && client.bytes.back() == std::byte{'\n'};
    }));
    return json::parse(std::string(reinterpret_cast<const char*>(client.bytes.data()), client.bytes.size()));
  }
  std::string code(const json& reply) { return reply["error"]["data"]["code"]; }

  RpcServer rpc{io, events};
  Proxy proxy{io, events, scratch.path};
  Peer client;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(methods, Served)

BOOST_AUTO_TEST_CASE(legs_and_faults_come_and_go_by_rpc) {
  json leg = kLeg;
  leg["name"] = "a";
  BOOST_TEST(call("leg.add", leg).contains("result"));
  BOOST_TEST(code(call("leg.add", leg)) == "already_exists");
  BOOST_TEST(call("proxy.arm", {{"leg", "a"}, {"kind", "cut"}, {"after_message", 3}})["result"]["fault"] ==
             1);
  const json status = call("proxy.status")["result"]["legs"]["a"];
  BOOST_TEST(status["front"]["state"] == "listening");
  BOOST_TEST(status["faults"][0]["state"] == "armed");
  BOOST_TEST(status["faults"][0]["given"]["after_message"] == 3);
  BOOST_TEST(call("proxy.heal")["result"]["healed"]["a"][0] == 1);
  BOOST_TEST(call("timeline", {{"leg", "a"}})["result"]["messages"].empty());
  BOOST_TEST(call("disconnect", {{"leg", "a"}}).contains("result"));
  BOOST_TEST(call("leg.remove", {{"name", "a"}}).contains("result"));
  BOOST_TEST(proxy.size() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_not_there_or_not_right_gets_a_named_error) {
  BOOST_TEST(code(call("timeline", {{"leg", "x"}})) == "not_found");
  BOOST_TEST(code(call("timeline")) == "invalid_argument");
  BOOST_TEST(code(call("leg.add", {{"name", "a"}})) == "invalid_argument");
  BOOST_TEST(code(call("leg.remove", {{"name", "a"}})) == "not_found");
  BOOST_TEST(code(call("proxy.heal", {{"fault", 1}})) == "invalid_argument");
  json leg = kLeg;
  leg["name"] = "a";
  BOOST_REQUIRE(call("leg.add", leg).contains("result"));
  BOOST_TEST(code(call("proxy.heal", {{"leg", "a"}, {"fault", 9}})) == "not_found");
  const json refused = call("proxy.arm", {{"leg", "a"}, {"kind", "cut"}});
  BOOST_TEST(refused["error"]["data"]["errors"][0]["path"] == "after_message");
}

BOOST_AUTO_TEST_SUITE_END()
