#include "core/app/command_line.hpp"

#include <rte_version.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "core/base/json_document.hpp"

namespace testbed {

using nlohmann::json;

namespace {

constexpr const char* kAbout =
    "testbed-switch: a vhost-user software switch, driven by JSON-RPC on a Unix socket (docs/protocol.md).";

constexpr const char* kExample = R"(Example: two guests on one learning switch, without hugepages or root
  mkdir -p /tmp/tb
  cat > /tmp/tb/switch.json <<END
  {"bricks": {"lan": {"type": "switch"}},
   "ports": {"p0": {"type": "vhost", "role": "server", "path": "/tmp/tb/p0.sock", "to": "lan"},
             "p1": {"type": "vhost", "role": "server", "path": "/tmp/tb/p1.sock", "to": "lan"}}}
  END
  testbed-switch --dir /tmp/tb --config /tmp/tb/switch.json &
  echo '{"jsonrpc": "2.0", "id": 1, "method": "ports"}' | nc -N -U /tmp/tb/switch.sock

Exit status: 0 shut down, 1 the system refused something (memory, threads), 2 wrong command line or configuration.)";

Result<std::string> read_all(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream in(file);
  if (!in || std::filesystem::is_directory(file))
    return fail(Errc::not_found, "cannot read the configuration " + file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Permissions do not tell (root, read-only mounts, full disks): a file does.
Result<void> check_writable(const std::string& directory) {
  std::string probe = directory + "/.testbed-XXXXXX";
  const int fd = ::mkstemp(probe.data());
  if (fd < 0) return fail_errno("cannot write in --dir " + directory, errno);
  ::close(fd);
  ::unlink(probe.c_str());
  return {};
}

Result<std::string> prepare_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail_errno("cannot make --dir " + directory, error.value());
  const std::string absolute = std::filesystem::canonical(directory, error).string();
  if (error) return fail_errno("cannot use --dir " + directory, error.value());
  if (auto writable = check_writable(absolute); !writable) return tl::unexpected(writable.error());
  return absolute;
}

Result<json> read_document(const std::string& file) {
  if (file.empty()) return json(json::object());
  const auto text = read_all(file);
  if (!text) return tl::unexpected(text.error());
  auto document = parse_json(*text);
  if (!document) return fail(Errc::invalid_argument, file + ": " + document.error().message);
  return document;
}

}  // namespace

Result<Launch> read_command_line(int argc, char** argv) {
  CLI::App app(kAbout);
  app.footer(kExample);
  std::string control, directory = ".", config;
  json given = json::object();  // what the command line says over the configuration
  app.add_option("--control", control, "the control socket; DIR/switch.sock when absent")->type_name("PATH");
  app.add_option("--dir", directory, "where the switch may write; made when it does not exist")
      ->type_name("DIR");
  app.add_option("--config", config, "the first configuration, a JSON document; - for standard input")
      ->type_name("FILE");
  const auto number = [&](const char* option, const char* key, const char* help) {
    app.add_option_function<uint64_t>(
        option, [&given, key](uint64_t value) { given[key] = value; }, help);
  };
  number("--workers", "workers", "polling threads (1)");
  number("--memory-mb", "memory_mb", "packet memory (64); the start takes longer with more");
  app.add_flag_callback(
      "--hugepages", [&given] { given["hugepages"] = true; }, "take packet memory from hugepages");
  app.set_version_flag("--version", std::string("testbed-switch 1 (") + rte_version() + ")");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    if (stop.get_exit_code() == 0) std::exit(app.exit(stop));
    return fail(Errc::invalid_argument, std::string(stop.what()) + " (--help shows an example)");
  }

  Launch launch;
  const auto absolute = prepare_directory(directory);
  if (!absolute) return tl::unexpected(absolute.error());
  launch.settings.directory = *absolute;
  launch.control = control.empty() ? *absolute + "/switch.sock" : control;
  auto document = read_document(config);
  if (!document) return tl::unexpected(document.error());
  if (document->is_object()) document->update(given);
  Mistakes mistakes;
  launch.settings.start = read_start_settings(*document, {}, mistakes);
  if (!mistakes.empty()) return fail(std::move(mistakes));
  launch.document = std::move(*document);
  return launch;
}

}  // namespace testbed
