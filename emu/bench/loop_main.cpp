// testbed-circulator: two virtio_user frontends, between which frames go round as fast as a switch passes
// them.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

#include "core/base/eal.hpp"
#include "core/base/process.hpp"
#include "emu/bench/loop_app.hpp"
#include "emu/load/eal_arguments.hpp"

namespace {

using namespace testbed;

constexpr int kSystem = 1;
constexpr const char* kAbout =
    "testbed-circulator: frames that go round through a switch, read by nobody (docs/protocol.md).\n"
    "The load of `testbed bench`: what a frontend costs at the least.";

struct Launch {
  std::string control, directory = ".";
  size_t memory_mb = 96;
  bool hugepages = false;
  std::optional<unsigned> cpu;
};

// Leaves without asking the backend, which sees its sockets close: closing the devices would talk to it.
[[noreturn]] void leave(Process& process, const EalOptions& eal) {
  process.rpc().close();
  std::error_code ignored;
  std::filesystem::remove_all(std::filesystem::path(eal.runtime_dir) / "dpdk" / eal.file_prefix, ignored);
  std::_Exit(0);
}

int run(const Launch& launch, const char* program) {
  Process process("testbed-circulator");
  if (auto listening = process.rpc().listen(launch.control); !listening) {
    std::cerr << "testbed-circulator: " << listening.error().message << '\n';
    return kSystem;
  }
  const EalOptions eal = {.program = program,
                          .file_prefix = "tb-circulator-" + std::to_string(::getpid()),
                          .runtime_dir = std::filesystem::canonical(launch.directory).string(),
                          .memory_mb = launch.memory_mb,
                          .hugepages = launch.hugepages,
                          .extra = load::eal_arguments()};
  if (auto started = start_eal(eal); !started) {
    std::cerr << "testbed-circulator: " << started.error().message << '\n';
    return kSystem;
  }
  bench::LoopApp app(process, launch.cpu);
  process.events().emit("circulator.ready");
  process.on_shutdown([&](bool) { leave(process, eal); });
  return process.run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(kAbout);
  Launch launch;
  app.add_option("--control", launch.control, "the control socket")->required();
  app.add_option("--dir", launch.directory, "where this process may write; it must be there");
  app.add_option("--memory-mb", launch.memory_mb, "packet memory (96)")->check(CLI::Range(16, 65536));
  app.add_flag("--hugepages", launch.hugepages, "take packet memory from hugepages");
  app.add_option("--cpu", launch.cpu, "pins the polling thread to this CPU");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(launch, argv[0]);
  } catch (const std::exception& error) {
    std::cerr << "testbed-circulator: " << error.what() << '\n';
    return kSystem;
  }
}
