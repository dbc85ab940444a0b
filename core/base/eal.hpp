// Starting DPDK's environment abstraction layer the way every program here needs it: without PCI, by default
// without hugepages, its runtime files (telemetry socket) inside our own directory so that nothing is left
// behind elsewhere.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace testbed {

struct EalOptions {
  std::string program;      // argv[0]
  std::string file_prefix;  // unique per process: two no-huge processes may not share one
  std::string runtime_dir;  // absolute; telemetry's socket goes to runtime_dir/dpdk/<prefix>/
  size_t memory_mb = 64;    // pre-allocated without hugepages; start-up time grows with it (2 s per GB)
  bool hugepages = false;   // --in-memory --single-file-segments instead of --no-huge
  std::vector<std::string> extra;  // further EAL arguments
};

// Once per process. The calling thread becomes EAL's main lcore, unpinned.
Result<void> start_eal(const EalOptions& options);
// Releases what EAL holds and removes its files from runtime_dir.
void stop_eal(const EalOptions& options);
// Removes the files only, which are no use to anybody else: for who leaves by _exit() because something
// hangs.
void remove_eal_files(const EalOptions& options);

}  // namespace testbed
