#define BOOST_TEST_MODULE bench
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "core/base/eal.hpp"
#include "tests/unit/base/scratch.hpp"

namespace {

struct Eal {
  Eal() {
    options = {.program = "test_bench",
               .file_prefix = "test-bench-" + std::to_string(::getpid()),
               .runtime_dir = scratch.path,
               .memory_mb = 32,
               .extra = {"--log-level=*:critical"}};
    const auto started = testbed::start_eal(options);
    BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? std::string() : started.error().message));
  }
  ~Eal() { testbed::stop_eal(options); }

  Scratch scratch;
  testbed::EalOptions options;
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(Eal);
