#include "emu/proxy/config.hpp"

#include <filesystem>
#include <optional>
#include <utility>

#include "core/base/options.hpp"
#include "core/base/unix_socket.hpp"
#include "emu/proxy/fault_spec.hpp"

namespace testbed::proxy {

using nlohmann::json;

namespace {

EndpointConfig read_endpoint(Options& leg, const std::string& side, const std::string& dir,
                             Mistakes& mistakes) {
  const json& given = leg.raw(side);
  if (given.is_null()) {
    leg.mistake(side, "is missing: {\"path\": ..., \"role\": \"server|client\"}");
    return {};
  }
  Options options(given, leg.path_of(side), mistakes);
  EndpointConfig endpoint;
  if (const std::string path = options.text("path"); !path.empty()) {
    endpoint.path = (std::filesystem::path(dir) / path).string();
    if (const auto fits = check_socket_path(endpoint.path); !fits)
      options.mistake("path", fits.error().message);
  }
  if (!options.has("role"))
    options.mistake("role", "is missing: server (the proxy listens) or client (it connects)");
  endpoint.role =
      options.choice("role", {"server", "client"}, "server") == "server" ? Role::server : Role::client;
  options.done();
  return endpoint;
}

std::vector<FaultSpec> read_faults(Options& leg, Mistakes& mistakes) {
  std::vector<FaultSpec> faults;
  const json& list = leg.raw("faults");
  if (list.is_null()) return faults;
  if (!list.is_array()) {
    leg.mistake("faults", std::string("must be a list, not ") + list.type_name());
    return faults;
  }
  if (list.size() > FaultSet::kMaxKept)
    leg.mistake("faults", "has more than " + std::to_string(FaultSet::kMaxKept) + " entries");
  for (size_t i = 0; i < list.size(); ++i) {
    auto fault = parse_fault(list[i], leg.path_of("faults") + "[" + std::to_string(i) + "]", mistakes);
    if (fault) faults.push_back(std::move(*fault));
  }
  return faults;
}

LegConfig read_leg(const std::string& name, const json& leg, const std::string& path, const std::string& dir,
                   Mistakes& mistakes) {
  Options options(leg, path, mistakes);
  LegConfig config{name, {}, {}, {}};
  if (leg.is_object()) {
    config.front = read_endpoint(options, "front", dir, mistakes);
    config.back = read_endpoint(options, "back", dir, mistakes);
    config.faults = read_faults(options, mistakes);
  }
  if (!config.front.path.empty() && config.front.path == config.back.path)
    options.mistake("back", "has the same path as front: the proxy would talk to itself");
  options.done();
  return config;
}

}  // namespace

Result<LegConfig> parse_leg(const std::string& name, const json& leg, const std::string& dir) {
  Mistakes mistakes;
  LegConfig config = read_leg(name, leg, "", dir, mistakes);
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return config;
}

Result<std::vector<LegConfig>> parse_config(const json& document, const std::string& dir) {
  Mistakes mistakes;
  std::vector<LegConfig> legs;
  Options options(document, "", mistakes);
  const json& all = options.raw("legs");
  if (all.is_object()) {
    for (const auto& [name, leg] : all.items())
      legs.push_back(read_leg(name, leg, options.path_of("legs." + name), dir, mistakes));
  } else if (!all.is_null()) {
    options.mistake("legs", std::string("must be an object of legs by name, not ") + all.type_name());
  }
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return legs;
}

}  // namespace testbed::proxy
