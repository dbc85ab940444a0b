// testbed-driver: vhost-user frontends that do what virtio_user and QEMU cannot, under the control of a
// script.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/process.hpp"
#include "emu/driver/app/driver_service.hpp"

namespace {

struct CommandLine {
  std::string control, directory = ".";
  std::vector<std::string> memory;
};

// "d2=5"
testbed::Result<std::map<std::string, int>> inherited_memory(const std::vector<std::string>& entries) {
  std::map<std::string, int> all;
  for (const std::string& entry : entries) {
    const size_t equals = entry.find('=');
    const std::string number = equals == std::string::npos ? "" : entry.substr(equals + 1);
    if (equals == 0 || number.empty() || number.find_first_not_of("0123456789") != std::string::npos ||
        number.size() > 6)
      return testbed::fail(testbed::Errc::invalid_argument,
                           "--memory-fd is FRONTEND=DESCRIPTOR, not " + entry);
    all[entry.substr(0, equals)] = std::stoi(number);
  }
  return all;
}

// 128 queue pairs hold 768 event descriptors; a shell's usual limit is 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const CommandLine& command) {
  raise_descriptor_limit();
  const auto inherited = inherited_memory(command.memory);
  if (!inherited) return std::fprintf(stderr, "testbed-driver: %s\n", inherited.error().message.c_str()), 2;
  testbed::Process process("testbed-driver");
  testbed::driver::DriverService service(process.io(), process.rpc(), process.events(), command.directory,
                                         *inherited);
  process.on_shutdown([&](bool) { service.close(); });
  if (auto listening = process.rpc().listen(command.control); !listening)
    return std::fprintf(stderr, "testbed-driver: %s\n", listening.error().message.c_str()), 2;
  process.events().emit("control.up");
  return process.run();
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine command;
  CLI::App app("vhost-user frontends and virtio-net drivers under the control of a script");
  app.add_option("--control", command.control, "Unix socket for JSON-RPC 2.0")->required();
  app.add_option("--dir", command.directory, "where memory that outlives the process is kept")
      ->check(CLI::ExistingDirectory);
  app.add_option("--memory-fd", command.memory,
                 "FRONTEND=DESCRIPTOR: guest memory this process was started with");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return run(command);
}
