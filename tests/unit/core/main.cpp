#define BOOST_TEST_MODULE core
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "core/base/eal.hpp"
#include "tests/unit/base/scratch.hpp"

// One EAL for the whole executable, without hugepages.
struct Eal {
  Eal() {
    options.program = "test_core";
    options.file_prefix = "tb-test-" + std::to_string(::getpid());
    options.runtime_dir = scratch.path;
    const auto started = testbed::start_eal(options);
    BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
  }
  ~Eal() { testbed::stop_eal(options); }

  Scratch scratch;
  testbed::EalOptions options;
};

BOOST_TEST_GLOBAL_FIXTURE(Eal);
