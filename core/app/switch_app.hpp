// The whole switch as an object: what testbed-switch's main runs, and what a program links that wants the
// switch in its own process (the load generator, unit tests, instruction counts).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/process.hpp"
#include "core/base/result.hpp"
#include "core/bricks/register.hpp"
#include "core/control/switch.hpp"
#include "core/graph/brick_factory.hpp"
#include "core/graph/port_factory.hpp"
#include "core/worker/worker_domain.hpp"

namespace testbed {

struct SwitchSettings {
  StartSettings start;
  std::string directory;  // absolute, writable
};

class SwitchApp {
 public:
  // EAL is up. Makes pools and starts the workers; adds the switch's RPC methods, and `mbufs_in_use` to
  // `resources`, to `process`, which outlives this. Nothing is called on it after `process` stopped running.
  static Result<std::unique_ptr<SwitchApp>> start(Process& process, const SwitchSettings& settings,
                                                  PortFactories port_types,
                                                  BrickFactories brick_types = brick_factories());
  ~SwitchApp() { close(); }
  SwitchApp(const SwitchApp&) = delete;
  SwitchApp& operator=(const SwitchApp&) = delete;

  // The first configuration; event switch.ready.
  Result<Switch::Applied> boot(const nlohmann::json& document);
  Switch& control() { return control_; }

  // Finishes the bursts in hand, then ends every session and closes every file: nothing that was received is
  // lost. Idempotent.
  void close();

 private:
  SwitchApp(Process& process, const SwitchSettings& settings, std::unique_ptr<WorkerDomain> domain,
            PortFactories port_types, BrickFactories brick_types);

  Process& process_;
  std::unique_ptr<WorkerDomain> domain_;
  PortEnvironment port_environment_;
  BrickEnvironment brick_environment_;
  Switch control_;
};

}  // namespace testbed
