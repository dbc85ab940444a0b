#include "core/base/eal.hpp"

#include <fcntl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "core/base/fd.hpp"

namespace testbed {

namespace {

// Nobody holds the lock that a live primary process has on its configuration.
bool is_dead(const std::filesystem::path& directory) {
  const Fd config(::open((directory / "config").c_str(), O_RDWR | O_CLOEXEC));
  if (!config) return false;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  return ::fcntl(config.get(), F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

// Killed predecessors could not tidy up. What is only seconds old may belong to a process that is about to
// take its lock.
void remove_stale(const std::filesystem::path& dpdk) {
  constexpr auto kFresh = std::chrono::seconds(5);
  std::error_code ignored;
  std::vector<std::filesystem::path> stale;
  for (std::filesystem::directory_iterator it(dpdk, ignored), end; it != end; it.increment(ignored)) {
    const auto age = std::filesystem::file_time_type::clock::now() - it->last_write_time(ignored);
    if (!ignored && age > kFresh && is_dead(it->path())) stale.push_back(it->path());
  }
  for (const auto& path : stale) std::filesystem::remove_all(path, ignored);
}

}  // namespace

Result<void> start_eal(const EalOptions& options) {
  // Any core will do for the main lcore: with one in the coremap EAL pins it, so give it all and let the
  // scheduler place it.
  std::vector<std::string> args = {
      options.program,
      "--no-pci",
      "--log-level=lib.*:error",
      "--log-level=pmd.*:error",
      "--lcores=0@(0-" + std::to_string(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)) - 1) + ")",
      "--file-prefix=" + options.file_prefix,
      "-m",
      std::to_string(options.memory_mb)};
  if (options.hugepages) {
    args.insert(args.end(), {"--in-memory", "--single-file-segments"});
  } else {
    args.push_back("--no-huge");
  }
  args.insert(args.end(), options.extra.begin(), options.extra.end());
  remove_stale(std::filesystem::path(options.runtime_dir) / "dpdk");
  ::setenv("RUNTIME_DIRECTORY", options.runtime_dir.c_str(), 1);  // where EAL puts its runtime files
  // EAL keeps and permutes argv: it has to outlive the process's use of it.
  static std::vector<std::string> kept;
  static std::vector<char*> argv;
  kept = std::move(args);
  argv.clear();
  for (auto& arg : kept) argv.push_back(arg.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0)
    return fail(Errc::system, "DPDK's EAL did not start: " + std::string(rte_strerror(rte_errno)) +
                                  " (memory " + std::to_string(options.memory_mb) + " MB" +
                                  (options.hugepages ? ", hugepages)" : ", no hugepages)"));
  return {};
}

void stop_eal(const EalOptions& options) {
  rte_eal_cleanup();
  remove_eal_files(options);
}

void remove_eal_files(const EalOptions& options) {
  std::error_code ignored;
  const std::filesystem::path dpdk = std::filesystem::path(options.runtime_dir) / "dpdk";
  std::filesystem::remove_all(dpdk / options.file_prefix, ignored);
  std::filesystem::remove(dpdk, ignored);  // only when empty
}

}  // namespace testbed
