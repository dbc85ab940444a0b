// The `flow.*` methods and `frontend.status` of docs/protocol.md over one engine, whoever polls it:
// testbed-load registers them on its RPC server, the agent on its serial line.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "emu/flow/engine.hpp"

namespace testbed::flow {

class FlowService {
 public:
  using Handler = std::function<Result<nlohmann::json>(const nlohmann::json& params)>;
  // Runs the function where the engine is polled, between two polls, and returns when it has run. A program
  // with one thread calls it right away.
  using OnEngine = std::function<void(const std::function<void()>& work)>;

  // `engine` outlives the service.
  FlowService(FlowEngine& engine, OnEngine on_engine);

  // Name and handler: flow.send, flow.expect, flow.remove, flow.start, flow.stop, flow.set, flow.announce,
  // flow.counts, flow.report, frontend.status. Every mistake in the parameters comes back as an Error; handlers do not
  // throw.
  std::vector<std::pair<std::string, Handler>> methods();

 private:
  Result<nlohmann::json> send(const nlohmann::json& params);
  Result<nlohmann::json> expect(const nlohmann::json& params);
  Result<nlohmann::json> remove(const nlohmann::json& params);
  Result<nlohmann::json> start(const nlohmann::json& params);
  Result<nlohmann::json> stop(const nlohmann::json& params);
  Result<nlohmann::json> set(const nlohmann::json& params);
  Result<nlohmann::json> announce(const nlohmann::json& params);
  Result<nlohmann::json> counts(const nlohmann::json& params);
  Result<nlohmann::json> report(const nlohmann::json& params);
  Result<nlohmann::json> status(const nlohmann::json& params);

  FlowEngine& engine_;
  OnEngine on_engine_;
};

}  // namespace testbed::flow
