// testbed-circulator without its main(): the methods circulate.* on a process's RPC server.
#pragma once

#include <memory>
#include <optional>

#include "core/base/process.hpp"
#include "emu/bench/circulation.hpp"
#include "emu/bench/loop_options.hpp"
#include "emu/load/virtio_port.hpp"

namespace testbed::bench {

class LoopApp {
 public:
  // EAL runs. `cpu`: where the polling thread is pinned.
  LoopApp(Process& process, std::optional<unsigned> cpu);

 private:
  // Both frontends of a loop, connected: all that can fail.
  struct Ends {
    LoopOptions options;
    std::unique_ptr<load::VirtioPort> ports[2];
  };

  void start(const nlohmann::json& params, const RpcServer::Reply& reply);
  void circulate(Ends ends);
  Result<nlohmann::json> counts() const;
  Result<nlohmann::json> stop();

  Process& process_;
  std::optional<unsigned> cpu_;
  bool asked_ = false;  // one loop in a process's life
  Ends ends_;
  std::unique_ptr<Circulation> circulation_;
};

}  // namespace testbed::bench
