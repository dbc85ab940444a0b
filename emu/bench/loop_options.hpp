// What circulate.start asks for, checked.
#pragma once

#include <array>
#include <nlohmann/json.hpp>

#include "core/base/result.hpp"
#include "emu/bench/circulation.hpp"
#include "emu/load/frontend_options.hpp"

namespace testbed::bench {

struct LoopOptions {
  std::array<load::FrontendOptions, 2> frontends;
  Shape shape;
  bool both_ways = true;
};

Result<LoopOptions> read_loop(const nlohmann::json& params);

}  // namespace testbed::bench
