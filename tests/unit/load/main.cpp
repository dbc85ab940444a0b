#define BOOST_TEST_MODULE load
#include <rte_cpuflags.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

#include "core/base/eal.hpp"
#include "tests/unit/base/scratch.hpp"

namespace {

// EAL starts once in a process: without hugepages, its files in a directory of the test's own.
struct Eal {
  Eal() {
    std::signal(SIGPIPE, SIG_IGN);  // the driver writes to backends that have left
    options = {.program = "test_load",
               .file_prefix = "test-load-" + std::to_string(::getpid()),
               .runtime_dir = scratch.path,
               .memory_mb = 96};
    if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) == 1)
      options.extra.push_back("--force-max-simd-bitwidth=512");
    options.extra.push_back("--log-level=*:critical");
    const auto started = testbed::start_eal(options);
    BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? std::string() : started.error().message));
  }
  ~Eal() { testbed::stop_eal(options); }

  Scratch scratch;
  testbed::EalOptions options;
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(Eal);
