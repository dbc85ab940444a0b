// testbed-load without its main(): frontends and flows behind the RPC of a process. The in-process program
// has one too.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/base/process.hpp"
#include "emu/flow/engine.hpp"
#include "emu/flow/service.hpp"
#include "emu/load/frontend.hpp"
#include "emu/load/worker.hpp"

namespace testbed::load {

struct LoadOptions {
  std::optional<unsigned> cpu;  // where the polling thread is pinned
  bool busy_poll = false;       // it never sleeps
};

class LoadApp {
 public:
  // EAL runs. Registers frontend.* and flow.* on the process's RPC server. Throws std::system_error.
  LoadApp(Process& process, const LoadOptions& options);
  ~LoadApp();

  // Gives all devices back, in this time. False: a backend holds one up; the process can only leave by
  // _exit().
  bool close(std::chrono::milliseconds patience);

 private:
  void add_frontend(const nlohmann::json& params, const RpcServer::Reply& reply);
  void remove_frontend(const nlohmann::json& params, const RpcServer::Reply& reply);
  Result<void> check_new(const FrontendOptions& options) const;

  Process& process_;
  flow::FlowEngine engine_;
  Worker worker_;
  flow::FlowService service_;
  std::map<std::string, std::shared_ptr<Frontend>> frontends_;
  uint64_t devices_made_ = 0;
};

}  // namespace testbed::load
