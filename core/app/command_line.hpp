// The command line of testbed-switch, and the files and directories it names.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/app/switch_app.hpp"
#include "core/base/result.hpp"

namespace testbed {

struct Launch {
  std::string control;      // the socket's path
  nlohmann::json document;  // the first configuration
  SwitchSettings settings;
};

// Parses, reads the configuration and makes sure that the directory can be written. Exits the process itself
// for --help and
// --version (status 0) and for a wrong command line (status 2).
Result<Launch> read_command_line(int argc, char** argv);

}  // namespace testbed
