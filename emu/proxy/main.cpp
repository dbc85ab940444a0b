// testbed-proxy: a man in the middle on vhost-user sockets.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "core/base/json_document.hpp"
#include "core/base/process.hpp"
#include "emu/proxy/proxy.hpp"

namespace {

using namespace testbed;
using nlohmann::json;

constexpr const char* kAbout =
    "A man in the middle on vhost-user sockets: relays every message with its descriptors, records it, and "
    "when it is\n"
    "told to, cuts, holds, delays, drops, duplicates, corrupts or slows down what passes.";

constexpr const char* kExample =
    R"(Example: QEMU connects to front.sock as it would to the switch, whose socket is back.sock.

  echo '{"legs": {"g1": {"front": {"path": "front.sock", "role": "server"},
                         "back":  {"path": "back.sock",  "role": "client"}}}}' > proxy.json
  testbed-proxy --dir /tmp/demo --config proxy.json --control /tmp/demo/proxy.sock &
  nc -U /tmp/demo/proxy.sock
  {"jsonrpc": "2.0", "id": 1, "method": "proxy.arm", "params": {"leg": "g1", "kind": "cut", "after_message": 7}}
  {"jsonrpc": "2.0", "id": 2, "method": "events.subscribe", "params": {"since": 1}}
  {"jsonrpc": "2.0", "id": 3, "method": "timeline", "params": {"leg": "g1"}}

A role is the proxy's own: server listens, client connects (at once when the socket appears). Faults:
  cut {after_message | before_message}, hold {message, bytes}, delay {ms}, drop_reply, duplicate_reply,
  lose_fd {message}, corrupt {message, offset, bytes}, slow {bytes_per_s}; proxy.heal ends them all.
docs/protocol.md, "testbed-proxy", describes each.)";

struct Arguments {
  std::string control, dir = ".", config;
};

// Descriptors of both peers pass through here: up to 512 may wait on each side of each leg.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<json> read_document(const std::string& path) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) return fail_errno("cannot read " + path, errno);
  }
  std::istream& in = path == "-" ? std::cin : file;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto document = parse_json(text);
  if (!document) return fail(document.error().code, path + ": " + document.error().message);
  return document;
}

int complain(const Error& error) {
  for (const auto& [path, message] : error.mistakes)
    std::fprintf(stderr, "testbed-proxy: %s: %s\n", path.c_str(), message.c_str());
  if (error.mistakes.empty()) std::fprintf(stderr, "testbed-proxy: %s\n", error.message.c_str());
  return 2;
}

int run(const Arguments& arguments) {
  Process process("testbed-proxy");
  allow_many_descriptors();
  proxy::Proxy proxy(process.io(), process.events(), arguments.dir);
  proxy.register_methods(process.rpc());
  process.add_resources([&proxy](json& all) { all["legs"] = proxy.size(); });
  process.on_shutdown([&proxy](bool) { proxy.close(); });
  if (!arguments.control.empty()) {
    if (auto listening = process.rpc().listen(arguments.control); !listening)
      return complain(listening.error());
    process.events().emit("control.up");
  }
  if (!arguments.config.empty()) {
    auto document = read_document(arguments.config);
    if (!document) return complain(document.error());
    if (auto configured = proxy.configure(*document); !configured) return complain(configured.error());
  }
  return process.run();
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(kAbout);
  app.footer(kExample);
  app.add_option("--control", arguments.control, "Socket for JSON-RPC and events");
  app.add_option("--dir", arguments.dir, "Directory that relative socket paths start from")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--config", arguments.config,
                 "JSON file with the legs (-: standard input); more come with leg.add");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (arguments.control.empty() && arguments.config.empty())
    return complain(
        {Errc::invalid_argument, "nothing to do: give --control, --config or both (--help has an example)"});
  return run(arguments);
}
