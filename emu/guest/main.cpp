// testbed-agent: process number 1 of the guest. Mounts what programs expect, inserts the modules of the
// initramfs, and then serves the testbed over a virtio-console port. It never exits: if it did, the kernel
// would panic, which is noticed.
#include <sys/resource.h>

#include <cstdio>

#include "core/base/process.hpp"
#include "emu/guest/agent.hpp"
#include "emu/guest/channel.hpp"
#include "emu/guest/system.hpp"

namespace {

using namespace testbed;

constexpr const char* kPort = "testbed.agent";
constexpr std::chrono::seconds kPortDeadline(10);

Result<void> prepare() {
  if (auto mounted = guest::mount_filesystems(); !mounted) return mounted;
  const auto modules = guest::boot_modules();
  if (!modules) return tl::unexpected(modules.error());
  for (const auto& name : *modules)
    if (auto inserted = guest::insert_module(name); !inserted) return inserted;
  ::setpriority(PRIO_PROCESS, 0, -20);  // commands run beside us must not delay packets
  return {};
}

Result<void> serve() {
  if (auto prepared = prepare(); !prepared) return prepared;
  auto port = guest::open_port(kPort, kPortDeadline);
  if (!port) return tl::unexpected(port.error());
  Process process("testbed-agent");
  guest::Channel channel(process.io(), std::move(*port), [&process](guest::Channel::Socket socket) {
    process.rpc().serve(std::move(socket));
  });
  channel.start();
  guest::Agent agent(process);
  if (auto started = agent.start(); !started) return started;
  process.run();
  return guest::power_off();
}

}  // namespace

int main() {
  const auto ended = serve();
  std::fprintf(stderr, "testbed-agent: %s\n", ended ? "ended" : ended.error().message.c_str());
  return 1;
}
