// The frontends of this process and the methods that drive them (docs/protocol.md, "testbed-driver").
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "core/base/event_log.hpp"
#include "core/base/rpc_server.hpp"
#include "emu/driver/app/data_thread.hpp"
#include "emu/driver/app/flipper.hpp"
#include "emu/driver/app/frontend.hpp"
#include "emu/flow/service.hpp"

namespace testbed::driver {

class DriverService {
 public:
  // `directory`: for files that outlive the process. `inherited`: descriptors of memory, by frontend.
  DriverService(boost::asio::io_context& io, RpcServer& rpc, EventLog& events, std::string directory,
                std::map<std::string, int> inherited);

  // Ends all frontends.
  void close();

 private:
  using json = nlohmann::json;
  // On the session's thread of the frontend named in params.
  using SessionMethod = std::function<Result<json>(Frontend&, const json& params)>;
  // On the data thread.
  using RingMethod = std::function<Result<json>(Frontend&, const json& params)>;

  Result<json> add(const json& params);
  Result<json> remove(const json& params);
  Result<json> flip(const json& params);
  Result<Frontend*> find(const json& params);
  void session_method(const std::string& name, SessionMethod method);
  void ring_method(const std::string& name, RingMethod method);

  boost::asio::io_context& io_;
  RpcServer& rpc_;
  EventLog& events_;
  std::string directory_;
  std::map<std::string, int> inherited_;
  DataThread data_;
  flow::FlowService flows_;
  std::map<std::string, std::unique_ptr<Frontend>> frontends_;
  std::map<std::string, std::unique_ptr<Flipper>> flippers_;  // by frontend and address
};

// What the methods do. `params` carries "frontend" besides.
namespace command {
using nlohmann::json;

Result<json> connect(Frontend& frontend, const json& params);
Result<json> disconnect(Frontend& frontend, const json& params);
Result<json> handshake(Frontend& frontend, const json& params);
Result<json> stop(Frontend& frontend, const json& params);
Result<json> restart(Frontend& frontend, const json& params);
Result<json> queues(Frontend& frontend, const json& params);
Result<json> send(Frontend& frontend, const json& params);
Result<json> messages(Frontend& frontend, const json& params);
Result<json> log(Frontend& frontend, const json& params);
Result<json> migrate(Frontend& frontend, const json& params);
Result<json> cancel_migration(Frontend& frontend, const json& params);
Result<json> migration(Frontend& frontend, const json& params);
Result<json> resize(Frontend& frontend, const json& params);
Result<json> block(Frontend& frontend, const json& params);

Result<json> chain(Frontend& frontend, const json& params);
Result<json> kick(Frontend& frontend, const json& params);
Result<json> poke(Frontend& frontend, const json& params);
Result<json> peek(Frontend& frontend, const json& params);
Result<json> snapshot(Frontend& frontend, const json& params);
Result<json> diff(Frontend& frontend, const json& params);
Result<json> rings(Frontend& frontend, const json& params);
}  // namespace command

}  // namespace testbed::driver
