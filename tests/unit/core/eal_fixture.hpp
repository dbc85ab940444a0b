// One EAL for the whole executable, without hugepages.
#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string>

#include "core/base/eal.hpp"
#include "tests/unit/base/scratch.hpp"

struct EalFixture {
  explicit EalFixture(const std::string& program) {
    options.program = program;
    options.file_prefix = "tb-test-" + std::to_string(::getpid());
    options.runtime_dir = scratch.path;
    const auto started = testbed::start_eal(options);
    BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
  }
  ~EalFixture() { testbed::stop_eal(options); }
  EalFixture(const EalFixture&) = delete;
  EalFixture& operator=(const EalFixture&) = delete;

  Scratch scratch;
  testbed::EalOptions options;
};
