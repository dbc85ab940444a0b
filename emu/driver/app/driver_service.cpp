#include "emu/driver/app/driver_service.hpp"

#include <boost/asio/post.hpp>

#include "core/base/options.hpp"
#include "emu/driver/app/payload.hpp"

namespace testbed::driver {

DriverService::DriverService(boost::asio::io_context& io, RpcServer& rpc, EventLog& events,
                             std::string directory, std::map<std::string, int> inherited)
    : io_(io),
      rpc_(rpc),
      events_(events),
      directory_(std::move(directory)),
      inherited_(std::move(inherited)),
      data_(events),
      flows_(data_.engine(), [this](const std::function<void()>& work) { data_.run(work); }) {
  for (auto& [name, handler] : flows_.methods()) rpc_.method(name, std::move(handler));
  rpc_.method("frontend.add", [this](const json& params) { return add(params); });
  rpc_.method("frontend.remove", [this](const json& params) { return remove(params); });
  rpc_.method("driver.flip", [this](const json& params) { return flip(params); });
  session_method("driver.connect", command::connect);
  session_method("driver.disconnect", command::disconnect);
  session_method("driver.handshake", command::handshake);
  session_method("driver.stop", command::stop);
  session_method("driver.restart", command::restart);
  session_method("driver.queues", command::queues);
  session_method("driver.send", command::send);
  session_method("driver.messages", command::messages);
  session_method("driver.log", command::log);
  session_method("driver.resize", command::resize);
  session_method("driver.block", command::block);
  session_method("driver.migrate", command::migrate);
  session_method("driver.migrate_cancel", command::cancel_migration);
  session_method("driver.migration", command::migration);
  ring_method("driver.chain", command::chain);
  ring_method("driver.kick", command::kick);
  ring_method("driver.poke", command::poke);
  ring_method("driver.peek", command::peek);
  ring_method("driver.snapshot", command::snapshot);
  ring_method("driver.diff", command::diff);
  ring_method("driver.rings", command::rings);
}

void DriverService::close() {
  flippers_.clear();
  frontends_.clear();
}

Result<Frontend*> DriverService::find(const json& params) {
  const json name = params.is_object() ? params.value("frontend", json()) : json();
  const auto found = frontends_.find(name.is_string() ? name.get<std::string>() : "");
  if (found == frontends_.end()) return fail(Errc::not_found, "no frontend " + name.dump());
  return found->second.get();
}

void DriverService::session_method(const std::string& name, SessionMethod method) {
  rpc_.async_method(name, [this, method = std::move(method)](const json& params, RpcServer::Reply reply) {
    const auto frontend = find(params);
    if (!frontend) return reply(tl::unexpected(frontend.error()));
    (*frontend)->post([this, method, params, reply = std::move(reply), frontend = *frontend] {
      Result<json> result = json::object();
      try {
        result = method(*frontend, params);
      } catch (const json::exception& error) {  // a parameter of the wrong type
        result = fail(Errc::invalid_argument, error.what());
      }
      boost::asio::post(io_, [reply, result = std::move(result)] { reply(result); });
    });
  });
}

void DriverService::ring_method(const std::string& name, RingMethod method) {
  rpc_.method(name, [this, method = std::move(method)](const json& params) -> Result<json> {
    const auto frontend = find(params);
    if (!frontend) return tl::unexpected(frontend.error());
    Result<json> result = json::object();
    data_.run([&] {
      try {
        result = method(**frontend, params);
      } catch (const json::exception& error) {
        result = fail(Errc::invalid_argument, error.what());
      }
    });
    return result;
  });
}

Result<nlohmann::json> DriverService::add(const json& params) {
  const std::string name = params.is_object() ? params.value("name", "") : "";
  if (frontends_.contains(name)) return fail(Errc::already_exists, "frontend " + name + " exists already");
  const auto inherited = inherited_.find(name);
  auto spec = read_frontend(params, directory_, inherited == inherited_.end() ? -1 : inherited->second);
  if (!spec) return tl::unexpected(spec.error());
  auto frontend = Frontend::create(std::move(*spec), data_, events_);
  if (!frontend) return tl::unexpected(frontend.error());
  const NetLayout& layout = (*frontend)->device().layout();
  json regions = json::array();
  for (const Region& region : (*frontend)->memory().regions())
    regions.push_back({{"gpa", region.gpa}, {"size", region.size}, {"offset", region.offset}});
  frontends_[name] = std::move(*frontend);
  return json{{"regions", std::move(regions)},
              {"scratch", {{"gpa", layout.scratch}, {"size", layout.scratch_size}}}};
}

Result<nlohmann::json> DriverService::remove(const json& params) {
  const std::string name = params.value("name", "");
  if (!frontends_.contains(name)) return fail(Errc::not_found, "no frontend " + name);
  std::erase_if(flippers_, [&](const auto& entry) { return entry.first.starts_with(name + "@"); });
  frontends_.erase(name);
  return json::object();
}

Result<nlohmann::json> DriverService::flip(const json& params) {
  const auto frontend = find(params);
  if (!frontend) return tl::unexpected(frontend.error());
  const auto gpa = read_integer(params.value("gpa", json()));
  if (!gpa) return fail(Errc::invalid_argument, "gpa " + gpa.error().message);
  const std::string key = (*frontend)->spec().name + "@" + std::to_string(*gpa);
  const uint64_t flips = flippers_.contains(key) ? flippers_[key]->flips() : 0;
  if (flippers_.erase(key) != 0) (*frontend)->end_flip();
  std::vector<std::vector<uint8_t>> values;
  for (const json& value : params.value("values", json::array())) {
    const auto bytes = from_hex(value.get<std::string>());
    if (!bytes || bytes->empty() || bytes->size() > 8 ||
        (!values.empty() && bytes->size() != values[0].size()))
      return fail(Errc::invalid_argument, "values must be equally long, 1 to 8 octets in hexadecimal digits");
    values.push_back(*bytes);
  }
  GuestMemory& memory = (*frontend)->memory();
  if (values.empty()) {  // it was stopped: what it left there is the driver's
    const uint64_t length = std::min<uint64_t>(8, kPage - *gpa % kPage);
    if (uint8_t* where = memory.at(*gpa, length)) data_.run([&] { memory.written(where, length); });
    return json{{"flips", flips}};
  }
  uint8_t* where = memory.at(*gpa, values[0].size());
  if (!where) return fail(Errc::invalid_argument, "no region holds all of these octets");
  if (!(*frontend)->begin_flip())
    return fail(Errc::busy,
                (*frontend)->spec().name + " moves to another backend; flip before or after that");
  flippers_[key] = std::make_unique<Flipper>(where, std::move(values), params.value("hz", uint64_t{0}));
  return json::object();
}

}  // namespace testbed::driver
