// The documents of docs/protocol.md about flows, from copies of what the engine knows: making them takes
// longer than the engine may be kept waiting.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "emu/flow/end.hpp"
#include "emu/flow/receiver.hpp"
#include "emu/flow/sender.hpp"

namespace testbed::flow {

nlohmann::json sender_report(const SenderRecord& record);
// `foreign`: what came to this receiver's end without being addressed to it. An outage that had not ended by
// `now_ns` is reported with end_ns null.
nlohmann::json receiver_report(const ReceiverRecord& record, const std::vector<ForeignArrival>& foreign,
                               uint64_t now_ns);

}  // namespace testbed::flow
