// The order of the start is the order in which others can use what is there: first the control socket and the
// events, then EAL (most of the time goes there), then ports.
#include "core/app/program.hpp"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>

#include "core/app/command_line.hpp"
#include "core/base/eal.hpp"
#include "core/base/process.hpp"

namespace testbed {
namespace {

constexpr int kSystem = 1, kUsage = 2;

int complain(const Error& error) {
  std::cerr << "testbed-switch: " << error.message << '\n';
  return error.code == Errc::exhausted ? kSystem : kUsage;
}

// Ports, bricks and edges are checked before anything is started: a mistake costs no time.
Result<void> check(const Launch& launch, const Parts& parts) {
  const auto config = parse_config(launch.document, launch.settings.start, parts.ports, parts.bricks);
  if (!config) return tl::unexpected(config.error());
  return {};
}

int run(Process& process, const Launch& launch, const Parts& parts) {
  auto app = SwitchApp::start(process, launch.settings, parts.ports, parts.bricks);
  if (!app) return complain(app.error());
  parts.started(process, (*app)->control());
  if (auto booted = (*app)->boot(launch.document); !booted) return complain(booted.error());
  process.on_shutdown([&app, &process](bool graceful) {
    if (graceful) return (*app)->close();
    process.rpc().close();
    std::_Exit(0);  // as asked: sessions end with the process
  });
  return process.run();
}

int start(int argc, char** argv, const Parts& parts) {
  Process process("testbed-switch");
  const auto launch = read_command_line(argc, argv);
  if (!launch) return complain(launch.error());
  if (auto checked = check(*launch, parts); !checked) return complain(checked.error());
  if (auto listening = process.rpc().listen(launch->control); !listening) return complain(listening.error());
  process.events().emit("control.up", {{"path", launch->control}});

  const EalOptions eal = {.program = argv[0],
                          .file_prefix = "tb-switch-" + std::to_string(::getpid()),
                          .runtime_dir = launch->settings.directory,
                          .memory_mb = launch->settings.start.memory_mb,
                          .hugepages = launch->settings.start.hugepages};
  if (auto started = start_eal(eal); !started) {
    complain(started.error());
    return kSystem;
  }
  process.events().emit("eal.up", {{"memory_mb", eal.memory_mb}});
  const int status = run(process, *launch, parts);
  stop_eal(eal);
  return status;
}

}  // namespace

int run_program(int argc, char** argv, const Parts& parts) {
  try {
    return start(argc, argv, parts);
  } catch (const std::exception& error) {
    std::cerr << "testbed-switch: " << error.what() << '\n';
    return kSystem;
  }
}

}  // namespace testbed
