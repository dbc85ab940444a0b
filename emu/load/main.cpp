// testbed-load. First the control socket, so that a runner can follow the rest, then EAL, then the worker.
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "core/base/eal.hpp"
#include "core/base/process.hpp"
#include "emu/load/command_line.hpp"
#include "emu/load/load_app.hpp"

namespace {

using namespace testbed;

constexpr int kSystem = 1, kUsage = 2;
// How long a backend may take to answer when its frontend leaves.
constexpr std::chrono::seconds kPatience{2};

int complain(const Error& error, int status) {
  std::cerr << "testbed-load: " << error.message << '\n';
  return status;
}

// Leaves without asking the backends: they see their sockets close.
[[noreturn]] void leave_now(Process& process, const EalOptions& eal) {
  process.rpc().close();
  remove_eal_files(eal);
  std::_Exit(0);
}

int start(int argc, char** argv) {
  Process process("testbed-load");
  const auto launch = load::read_command_line(argc, argv);
  if (!launch) return complain(launch.error(), kUsage);
  if (auto listening = process.rpc().listen(launch->control); !listening)
    return complain(listening.error(), kUsage);
  process.events().emit("control.up", {{"path", launch->control}});
  const EalOptions eal = launch->eal(argv[0]);
  if (auto started = start_eal(eal); !started) return complain(started.error(), kSystem);
  process.events().emit("eal.up", {{"memory_mb", eal.memory_mb}});
  {
    load::LoadApp app(process, launch->load);
    process.events().emit("load.ready");
    process.on_shutdown([&](bool graceful) {
      if (!graceful) leave_now(process, eal);
    });
    process.run();
    if (!app.close(kPatience)) leave_now(process, eal);
  }
  stop_eal(eal);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return start(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "testbed-load: " << error.what() << '\n';
    return kSystem;
  }
}
