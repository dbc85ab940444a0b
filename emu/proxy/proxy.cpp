#include "emu/proxy/proxy.hpp"

#include <utility>

#include "core/base/options.hpp"
#include "emu/proxy/config.hpp"

namespace testbed::proxy {

using nlohmann::json;

namespace {

// `params` without the keys that are not the fault's own.
json without(json params, const char* key) {
  if (params.is_object()) params.erase(key);
  return params;
}

}  // namespace

void Proxy::register_methods(RpcServer& rpc) {
  rpc.method("leg.add", [this](const json& params) { return add_leg(params); });
  rpc.method("leg.remove", [this](const json& params) { return remove_leg(params); });
  rpc.method("proxy.status", [this](const json&) { return status(); });
  rpc.method("proxy.arm", [this](const json& params) { return arm(params); });
  rpc.method("proxy.heal", [this](const json& params) { return heal(params); });
  rpc.method("timeline", [this](const json& params) {
    return leg_of(params).map([](Leg* leg) { return json{{"messages", leg->timeline()}}; });
  });
  rpc.method("disconnect", [this](const json& params) {
    return leg_of(params).map([](Leg* leg) {
      leg->disconnect();
      return json::object();
    });
  });
}

Result<void> Proxy::configure(const json& document) {
  auto configs = parse_config(document, dir_);
  if (!configs) return tl::unexpected(configs.error());
  std::vector<std::string> added;
  for (LegConfig& config : *configs) {
    std::string name = config.name;
    auto opened = add(std::move(config));
    if (!opened) {
      for (const std::string& one : added) legs_.erase(one);
      return opened;
    }
    added.push_back(std::move(name));
  }
  events_.emit("proxy.ready", {{"legs", legs_.size()}});
  return {};
}

Result<void> Proxy::add(LegConfig config) {
  const std::string name = config.name;
  if (name.empty()) return fail(Errc::invalid_argument, "a leg needs a name");
  if (legs_.contains(name)) return fail(Errc::already_exists, "leg " + name + " exists already");
  auto leg = std::make_unique<Leg>(io_, events_, watch_, std::move(config));
  if (auto opened = leg->open(); !opened) return opened;
  legs_[name] = std::move(leg);
  events_.emit("proxy.added", {{"leg", name}});
  return {};
}

Result<json> Proxy::add_leg(const json& params) {
  auto config = parse_leg(params.at("name").get<std::string>(), without(params, "name"), dir_);
  if (!config) return tl::unexpected(config.error());
  return add(std::move(*config)).map([] { return json::object(); });
}

Result<json> Proxy::remove_leg(const json& params) {
  const std::string name = params.at("name").get<std::string>();
  if (legs_.erase(name) == 0) return fail(Errc::not_found, "there is no leg " + name);
  events_.emit("proxy.removed", {{"leg", name}});
  return json::object();
}

Result<Leg*> Proxy::leg_of(const json& params) {
  const std::string name = params.at("leg").get<std::string>();
  const auto found = legs_.find(name);
  if (found == legs_.end()) return fail(Errc::not_found, "there is no leg " + name);
  return found->second.get();
}

Result<json> Proxy::arm(const json& params) {
  auto leg = leg_of(params);
  if (!leg) return tl::unexpected(leg.error());
  Mistakes mistakes;
  auto fault = parse_fault(without(params, "leg"), "", mistakes);
  if (!fault) return fail(std::move(mistakes));
  return (*leg)->arm(std::move(*fault)).map([](uint64_t id) { return json{{"fault", id}}; });
}

Result<json> Proxy::heal(const json& params) {
  std::optional<uint64_t> fault;
  if (params.contains("fault")) {
    if (!params.contains("leg"))
      return fail(Errc::invalid_argument, "faults are numbered by leg: give the leg too");
    fault = params.at("fault").get<uint64_t>();
  }
  json healed = json::object();
  if (params.contains("leg")) {
    auto leg = leg_of(params);
    if (!leg) return tl::unexpected(leg.error());
    auto ids = (*leg)->heal(fault);
    if (!ids) return tl::unexpected(ids.error());
    healed[params.at("leg").get<std::string>()] = *ids;
  } else {
    for (const auto& [name, leg] : legs_)
      if (auto ids = leg->heal(std::nullopt); ids && !ids->empty()) healed[name] = *ids;
  }
  return json{{"healed", healed}};
}

Result<json> Proxy::status() {
  json legs = json::object();
  for (const auto& [name, leg] : legs_) legs[name] = leg->status();
  return json{{"legs", legs}};
}

}  // namespace testbed::proxy
