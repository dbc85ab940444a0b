#include "emu/load/eal_arguments.hpp"

#include <rte_cpuflags.h>

namespace testbed::load {

std::vector<std::string> eal_arguments() {
  // A backend that goes away is this program's daily bread, and an event; to the driver it is an error.
  std::vector<std::string> arguments = {"--log-level=pmd.net.virtio.*:critical"};
  // Without this the driver keeps its vector path for packed rings to itself.
  if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) == 1)
    arguments.push_back("--force-max-simd-bitwidth=512");
  return arguments;
}

}  // namespace testbed::load
