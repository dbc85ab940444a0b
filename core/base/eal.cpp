#include "core/base/eal.hpp"

#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

namespace testbed {

Result<void> start_eal(const EalOptions& options) {
  // Any core will do for the main lcore: with one in the coremap EAL pins it, so give it all and let the scheduler place it.
  std::vector<std::string> args = {options.program, "--no-pci", "--log-level=lib.*:error", "--log-level=pmd.*:error",
                                   "--lcores=0@(0-" + std::to_string(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)) - 1) + ")",
                                   "--file-prefix=" + options.file_prefix, "-m", std::to_string(options.memory_mb)};
  if (options.hugepages) {
    args.insert(args.end(), {"--in-memory", "--single-file-segments"});
  } else {
    args.push_back("--no-huge");
  }
  args.insert(args.end(), options.extra.begin(), options.extra.end());
  ::setenv("RUNTIME_DIRECTORY", options.runtime_dir.c_str(), 1);  // where EAL puts its runtime files
  // EAL keeps and permutes argv: it has to outlive the process's use of it.
  static std::vector<std::string> kept;
  static std::vector<char*> argv;
  kept = std::move(args);
  argv.clear();
  for (auto& arg : kept) argv.push_back(arg.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0)
    return fail(Errc::system, "DPDK's EAL did not start: " + std::string(rte_strerror(rte_errno)) + " (memory " +
                                  std::to_string(options.memory_mb) + " MB" +
                                  (options.hugepages ? ", hugepages)" : ", no hugepages)"));
  return {};
}

void stop_eal(const EalOptions& options) {
  rte_eal_cleanup();
  std::error_code ignored;
  const std::filesystem::path dpdk = std::filesystem::path(options.runtime_dir) / "dpdk";
  std::filesystem::remove_all(dpdk / options.file_prefix, ignored);
  std::filesystem::remove(dpdk, ignored);  // only when empty
}

}  // namespace testbed
