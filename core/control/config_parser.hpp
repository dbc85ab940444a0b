// From the JSON document of docs/protocol.md to a Config, or to every mistake in it by path.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/graph/brick_factory.hpp"
#include "core/graph/config.hpp"
#include "core/graph/port_factory.hpp"

namespace testbed {

// What is read at start only.
struct StartSettings {
  uint16_t workers = 1;
  std::vector<int> cpus;  // worker i runs on cpus[i]
  uint32_t memory_mb = 64;
  uint32_t mbufs = 1024;  // per worker: enough for bursts and caches; 4096 would make the start 20 ms longer
  bool hugepages = false;
  std::string datapath = "ring";
  bool operator==(const StartSettings&) const = default;
};

// The start settings in `document`, with those it does not mention from `defaults`. Mistakes in other keys
// are not looked for.
StartSettings read_start_settings(const nlohmann::json& document, const StartSettings& defaults,
                                  Mistakes& mistakes);

// `running`: the settings this process was started with; a document that mentions others is refused.
Result<Config> parse_config(const nlohmann::json& document, const StartSettings& running,
                            const PortFactories& ports, const BrickFactories& bricks);

}  // namespace testbed
