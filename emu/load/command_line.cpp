#include "emu/load/command_line.hpp"

#include <rte_version.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>

#include "emu/load/eal_arguments.hpp"

namespace testbed::load {

namespace {

constexpr const char* kAbout =
    "testbed-load: virtio_user frontends that send, receive and check flows of numbered packets.\n"
    "Driven by JSON-RPC on a Unix socket, one document a line (docs/protocol.md).";

constexpr const char* kExample =
    R"(Example: a frontend that listens, and a flow to itself through whatever connects and echoes
  mkdir -p /tmp/tb; testbed-load --dir /tmp/tb &
  nc -U /tmp/tb/load.sock
  {"jsonrpc": "2.0", "id": 1, "method": "frontend.add", "params": {"name": "f0", "path": "/tmp/tb/f0.sock", "mac": "02:00:00:00:00:01"}}
  {"jsonrpc": "2.0", "id": 2, "method": "frontend.add", "params": {"name": "f1", "path": "/tmp/tb/f1.sock", "mac": "02:00:00:00:00:02"}}
  {"jsonrpc": "2.0", "id": 3, "method": "flow.expect", "params": {"flow": 1, "frontend": "f1", "mac": "02:00:00:00:00:02"}}
  {"jsonrpc": "2.0", "id": 4, "method": "flow.send", "params": {"flow": 1, "frontend": "f0", "rate_pps": 1000, "src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}}
  (in another terminal, a backend that joins the two:)
  dpdk-testpmd --no-huge -m 256 --no-pci --file-prefix=pmd --vdev net_vhost0,iface=/tmp/tb/f0.sock,client=1 \
    --vdev net_vhost1,iface=/tmp/tb/f1.sock,client=1 -- --forward-mode=io --auto-start
  {"jsonrpc": "2.0", "id": 5, "method": "flow.start"}
  {"jsonrpc": "2.0", "id": 6, "method": "flow.counts"}

Packet memory: a frontend takes queues x queue_size x 2.4 kB to receive, and as much again for each 2 kB of max_frame to
send: 4 MB with one pair of queues of 256 and frames up to 9000, 1.5 MB with max_frame 1518.

Exit status: 0 shut down, 1 the system refused something (memory, threads), 2 wrong command line.)";

Result<std::string> prepare_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail_errno("cannot make --dir " + directory, error.value());
  const std::string absolute = std::filesystem::canonical(directory, error).string();
  if (error) return fail_errno("cannot use --dir " + directory, error.value());
  if (::access(absolute.c_str(), W_OK | X_OK) != 0)
    return fail_errno("cannot write in --dir " + absolute, errno);
  return absolute;
}

}  // namespace

EalOptions Launch::eal(const char* program) const {
  return {.program = program,
          .file_prefix = "tb-load-" + std::to_string(::getpid()),
          .runtime_dir = directory,
          .memory_mb = memory_mb,
          .hugepages = hugepages,
          .extra = eal_arguments()};
}

Result<Launch> read_command_line(int argc, char** argv) {
  CLI::App app(kAbout);
  app.footer(kExample);
  Launch launch;
  std::string directory = ".", name = "load";
  unsigned cpu = 0;
  app.add_option("--control", launch.control, "the control socket; DIR/NAME.sock when absent")
      ->type_name("PATH");
  app.add_option("--dir", directory, "where this process may write; made when it does not exist")
      ->type_name("DIR");
  app.add_option("--name", name, "names the control socket (load)")->type_name("NAME");
  app.add_option("--memory-mb", launch.memory_mb, "packet memory (64); the start takes longer with more")
      ->check(CLI::Range(16, 65536));
  app.add_flag("--hugepages", launch.hugepages, "take packet memory from hugepages");
  const auto* pinned = app.add_option("--cpu", cpu, "pins the polling thread to this CPU");
  app.add_flag("--busy-poll", launch.load.busy_poll,
               "never sleeps: latencies without the polling thread's naps");
  app.set_version_flag("--version", std::string("testbed-load 1 (") + rte_version() + ")");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    if (stop.get_exit_code() == 0) std::exit(app.exit(stop));
    return fail(Errc::invalid_argument, std::string(stop.what()) + " (--help shows an example)");
  }
  if (pinned->count()) launch.load.cpu = cpu;
  if (pinned->count() && cpu >= static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_CONF)))
    return fail(Errc::invalid_argument, "--cpu " + std::to_string(cpu) + ": there is no such CPU");
  const auto absolute = prepare_directory(directory);
  if (!absolute) return tl::unexpected(absolute.error());
  launch.directory = *absolute;
  if (launch.control.empty()) launch.control = *absolute + "/" + name + ".sock";
  return launch;
}

}  // namespace testbed::load
