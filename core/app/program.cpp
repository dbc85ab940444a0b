// The order of the start is the order in which others can use what is there: first the control socket and the
// events, then EAL (most of the time goes there), then ports.
#include "core/app/program.hpp"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "core/app/command_line.hpp"
#include "core/base/eal.hpp"
#include "core/base/process.hpp"

namespace testbed {
namespace {

constexpr int kSystem = 1, kUsage = 2;

int complain(const Parts& parts, const Error& error) {
  std::cerr << parts.name << ": " << error.message << '\n';
  return error.code == Errc::exhausted ? kSystem : kUsage;
}

// Ports, bricks and edges are checked before anything is started: a mistake costs no time.
Result<void> check(const Launch& launch, const Parts& parts) {
  const auto config = parse_config(launch.document, launch.settings.start, parts.ports, parts.bricks);
  if (!config) return tl::unexpected(config.error());
  return {};
}

// Without giving back what the kernel takes.
[[noreturn]] void leave_now(const EalOptions& eal, int status) {
  remove_eal_files(eal);
  std::_Exit(status);
}

int run(Process& process, const Launch& launch, const EalOptions& eal, const Parts& parts) {
  auto app = SwitchApp::start(process, launch.settings, parts.ports, parts.bricks);
  if (!app) return complain(parts, app.error());
  parts.started(process, (*app)->control());
  if (auto booted = (*app)->boot(launch.document); !booted) {
    parts.ended();
    return complain(parts, booted.error());
  }
  parts.booted(process);
  process.on_shutdown([&app, &process, &eal](bool graceful) {
    if (graceful) return (*app)->close();
    process.rpc().close();
    leave_now(eal, 0);  // as asked: sessions end with the process
  });
  const int status = process.run();
  if (!parts.ended()) leave_now(eal, status);
  return status;
}

// "tb-switch-4711", of testbed-switch: unlike that of any process that runs.
std::string file_prefix(const Parts& parts) {
  return "tb-" + parts.name.substr(parts.name.find('-') + 1) + "-" + std::to_string(::getpid());
}

int start(int argc, char** argv, const Parts& parts) {
  Process process(parts.name);
  const auto launch = read_command_line(argc, argv);
  if (!launch) return complain(parts, launch.error());
  if (auto checked = check(*launch, parts); !checked) return complain(parts, checked.error());
  if (auto listening = process.rpc().listen(launch->control); !listening)
    return complain(parts, listening.error());
  process.events().emit("control.up", {{"path", launch->control}});

  const EalOptions eal = {.program = argv[0],
                          .file_prefix = file_prefix(parts),
                          .runtime_dir = launch->settings.directory,
                          .memory_mb = launch->settings.start.memory_mb + parts.more_memory_mb,
                          .hugepages = launch->settings.start.hugepages,
                          .extra = parts.eal_arguments};
  if (auto started = start_eal(eal); !started) {
    complain(parts, started.error());
    return kSystem;
  }
  process.events().emit("eal.up", {{"memory_mb", eal.memory_mb}});
  const int status = run(process, *launch, eal, parts);
  stop_eal(eal);
  return status;
}

}  // namespace

int run_program(int argc, char** argv, const Parts& parts) {
  try {
    return start(argc, argv, parts);
  } catch (const std::exception& error) {
    std::cerr << parts.name << ": " << error.what() << '\n';
    return kSystem;
  }
}

}  // namespace testbed
