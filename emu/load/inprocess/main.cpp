// testbed-inprocess: testbed-switch and testbed-load in one process, behind one control socket. Its command
// line is the switch's; frontends are added with frontend.add once switch.ready was said, since their devices
// connect to sockets that must be there.
//
// It exists for what wants everything in one place: tests without processes to start, sanitizers, instruction
// counts. What it cannot show is a switch that dies, because its frontends die with it.
#include <chrono>
#include <optional>

#include "core/app/program.hpp"
#include "emu/load/eal_arguments.hpp"
#include "emu/load/load_app.hpp"
#include "vdev/ports.hpp"

namespace {

constexpr uint32_t kLoadMemory_mb = 96;       // for frontends
constexpr std::chrono::seconds kPatience{2};  // for devices to be given back

}  // namespace

int main(int argc, char** argv) {
  std::optional<testbed::load::LoadApp> frontends;
  testbed::Parts parts{.name = "testbed-inprocess",
                       .more_memory_mb = kLoadMemory_mb,
                       .eal_arguments = testbed::load::eal_arguments()};
  testbed::register_ports(parts.ports);
  parts.started = [&](testbed::Process& process, testbed::Switch&) {
    frontends.emplace(process, testbed::load::LoadOptions{});
  };
  parts.booted = [](testbed::Process& process) { process.events().emit("load.ready"); };
  // The switch went first: a frontend that leaves talks to its backend, and that is this thread.
  parts.ended = [&] {
    const bool closed = !frontends || frontends->close(kPatience);
    if (closed) frontends.reset();
    return closed;
  };
  return testbed::run_program(argc, argv, parts);
}
