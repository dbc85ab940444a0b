// The command line of testbed-load, and the directory it names.
#pragma once

#include <optional>
#include <string>

#include "core/base/eal.hpp"
#include "core/base/result.hpp"
#include "emu/load/load_app.hpp"

namespace testbed::load {

struct Launch {
  std::string control;    // the socket's path
  std::string directory;  // absolute, writable
  size_t memory_mb = 64;
  bool hugepages = false;
  LoadOptions load;

  EalOptions eal(const char* program) const;
};

// Exits the process itself for --help and --version (status 0).
Result<Launch> read_command_line(int argc, char** argv);

}  // namespace testbed::load
