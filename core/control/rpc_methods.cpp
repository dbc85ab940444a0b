#include "core/control/rpc_methods.hpp"

#include <string>

#include "core/control/report.hpp"

namespace testbed {

using nlohmann::json;

namespace {

Result<std::string> name_in(const json& params, const char* key) {
  const auto found = params.is_object() ? params.find(key) : params.end();
  if (!params.is_object() || found == params.end() || !found->is_string())
    return fail(Errc::invalid_argument,
                std::string("params must name a ") + key + R"(, like {")" + key + R"(": "..."})");
  return found->get<std::string>();
}

Result<json> apply(Switch& control, const json& params) {
  const auto applied = control.apply(params);
  if (!applied) return tl::unexpected(applied.error());
  return json{{"generation", applied->generation}, {"actions", applied->actions}};
}

}  // namespace

void register_switch_methods(RpcServer& rpc, Switch& control) {
  rpc.method("apply", [&control](const json& params) { return apply(control, params); });
  rpc.method("config", [&control](const json&) -> Result<json> { return control.config(); });
  rpc.method("status", [&control](const json&) -> Result<json> { return control.status(); });
  rpc.method("ports", [&control](const json&) -> Result<json> { return control.ports(); });
  rpc.method("counters", [&control](const json&) -> Result<json> {
    return counters_document(control.graph(), control.domain());
  });
  rpc.method("metrics", [&control](const json&) -> Result<json> {
    return json{{"text", metrics_text(control.graph(), control.domain())}};
  });
  rpc.method("graph", [&control](const json&) -> Result<json> {
    return json{{"dot", dot_text(control.graph(), control.ports())}};
  });
  rpc.method("fdb", [&control](const json& params) {
    return name_in(params, "brick")
        .and_then([&](const std::string& name) { return control.brick(name); })
        .and_then([](Brick* brick) { return brick->fdb(); });
  });
  rpc.method("timeline", [&control](const json& params) {
    return name_in(params, "port")
        .and_then([&](const std::string& name) { return control.port(name); })
        .map([](Port* port) { return port->timeline(); });
  });
  rpc.method("disconnect", [&control](const json& params) {
    return name_in(params, "port")
        .and_then([&](const std::string& name) { return control.port(name); })
        .map([](Port* port) {
          port->disconnect();
          return json(json::object());
        });
  });
}

}  // namespace testbed
