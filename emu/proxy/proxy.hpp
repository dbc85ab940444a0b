// All legs of one process, and the methods by which they are driven (docs/protocol.md, "testbed-proxy").
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/event_log.hpp"
#include "core/base/rpc_server.hpp"
#include "emu/proxy/leg.hpp"

namespace testbed::proxy {

class Proxy {
 public:
  // Relative socket paths are taken from `dir`. All references outlive this.
  Proxy(boost::asio::io_context& io, EventLog& events, std::string dir)
      : io_(io), events_(events), dir_(std::move(dir)), watch_(io) {}

  void register_methods(RpcServer& rpc);
  // Adds the legs of a configuration; all or none.
  Result<void> configure(const nlohmann::json& document);
  Result<void> add(LegConfig config);
  // Ends all sessions and stops listening.
  void close() { legs_.clear(); }

  size_t size() const { return legs_.size(); }

 private:
  using json = nlohmann::json;
  Result<Leg*> leg_of(const json& params);
  Result<json> add_leg(const json& params);
  Result<json> remove_leg(const json& params);
  Result<json> arm(const json& params);
  Result<json> heal(const json& params);
  Result<json> status();

  boost::asio::io_context& io_;
  EventLog& events_;
  std::string dir_;
  DirectoryWatch watch_;
  std::map<std::string, std::unique_ptr<Leg>> legs_;  // after watch_: their subscriptions end first
};

}  // namespace testbed::proxy
