// testbed-inprocess: testbed-switch and testbed-load in one process, behind one control socket. Its command
// line is the switch's; frontends are added with frontend.add once switch.ready was said, since their devices
// connect to sockets that must be there.
//
// It exists for what wants everything in one place: tests without processes to start, sanitizers, instruction
// counts. What it cannot show is a switch that dies, because its frontends die with it.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "core/app/command_line.hpp"
#include "core/app/switch_app.hpp"
#include "core/base/eal.hpp"
#include "core/base/process.hpp"
#include "core/bricks/register.hpp"
#include "emu/load/eal_arguments.hpp"
#include "emu/load/load_app.hpp"
#include "vdev/ports.hpp"

namespace {

using namespace testbed;

constexpr int kSystem = 1, kUsage = 2;
constexpr size_t kLoadMemory_mb = 96;         // for frontends, on top of what the switch asks for
constexpr std::chrono::seconds kPatience{2};  // for devices to be given back

int complain(const Error& error, int status) {
  std::cerr << "testbed-inprocess: " << error.message << '\n';
  return status;
}

int run(Process& process, const Launch& launch, PortFactories ports) {
  auto app = SwitchApp::start(process, launch.settings, std::move(ports));
  if (!app) return complain(app.error(), kSystem);
  load::LoadApp frontends(process, {});
  if (auto booted = (*app)->boot(launch.document); !booted) return complain(booted.error(), kUsage);
  process.events().emit("load.ready");
  process.on_shutdown([&](bool graceful) {
    // The switch goes first: a frontend that leaves talks to its backend, and this thread would have to
    // answer.
    if (graceful) return (*app)->close();
    process.rpc().close();
    std::_Exit(0);
  });
  process.run();
  if (!frontends.close(kPatience)) std::_Exit(0);
  return 0;
}

int start(int argc, char** argv) {
  Process process("testbed-inprocess");
  const auto launch = read_command_line(argc, argv);
  if (!launch) return complain(launch.error(), kUsage);
  PortFactories ports;
  register_ports(ports);
  const auto config = parse_config(launch->document, launch->settings.start, ports, brick_factories());
  if (!config) return complain(config.error(), kUsage);
  if (auto listening = process.rpc().listen(launch->control); !listening)
    return complain(listening.error(), kUsage);
  process.events().emit("control.up", {{"path", launch->control}});

  const EalOptions eal = {.program = argv[0],
                          .file_prefix = "tb-inprocess-" + std::to_string(::getpid()),
                          .runtime_dir = launch->settings.directory,
                          .memory_mb = launch->settings.start.memory_mb + kLoadMemory_mb,
                          .hugepages = launch->settings.start.hugepages,
                          .extra = load::eal_arguments()};
  if (auto started = start_eal(eal); !started) return complain(started.error(), kSystem);
  process.events().emit("eal.up", {{"memory_mb", eal.memory_mb}});
  const int status = run(process, *launch, std::move(ports));
  stop_eal(eal);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return start(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "testbed-inprocess: " << error.what() << '\n';
    return kSystem;
  }
}
