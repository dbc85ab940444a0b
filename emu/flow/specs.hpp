// Parameters of flow.send, flow.expect and flow.set, read from their documents with every mistake by its
// name.
#pragma once

#include <nlohmann/json.hpp>

#include "core/base/result.hpp"
#include "emu/flow/receiver.hpp"
#include "emu/flow/sender.hpp"

namespace testbed::flow {

inline constexpr uint64_t kMaxStreams = 16384;
inline constexpr uint64_t kMaxWindow = 1u << 20;

Result<SendSpec> read_send(const nlohmann::json& params);
Result<ExpectSpec> read_expect(const nlohmann::json& params);
Result<FlowChange> read_change(const nlohmann::json& params, uint16_t& flow);

}  // namespace testbed::flow
