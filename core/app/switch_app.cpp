#include "core/app/switch_app.hpp"

#include <utility>

#include "core/control/rpc_methods.hpp"

namespace testbed {

Result<std::unique_ptr<SwitchApp>> SwitchApp::start(Process& process, const SwitchSettings& settings,
                                                    PortFactories port_types, BrickFactories brick_types) {
  auto domain = WorkerDomain::create({.workers = settings.start.workers,
                                      .cpus = settings.start.cpus,
                                      .mbufs_per_worker = settings.start.mbufs},
                                     process.events());
  if (!domain) return tl::unexpected(domain.error());
  if (auto started = (*domain)->start(); !started) return tl::unexpected(started.error());
  return std::unique_ptr<SwitchApp>(
      new SwitchApp(process, settings, std::move(*domain), std::move(port_types), std::move(brick_types)));
}

SwitchApp::SwitchApp(Process& process, const SwitchSettings& settings, std::unique_ptr<WorkerDomain> domain,
                     PortFactories port_types, BrickFactories brick_types)
    : process_(process),
      domain_(std::move(domain)),
      port_environment_{process.io(),           process.events(), *domain_,
                        domain_->workers(),     domain_->pools(), settings.directory,
                        settings.start.datapath},
      brick_environment_{process.events(), domain_->workers(), settings.directory},
      control_(settings.start, *domain_, port_environment_, brick_environment_, std::move(port_types),
               std::move(brick_types)) {
  register_switch_methods(process_.rpc(), control_);
  process_.add_resources([](nlohmann::json& all) { all["mbufs_in_use"] = mbufs_in_use(); });
}

Result<Switch::Applied> SwitchApp::boot(const nlohmann::json& document) {
  auto applied = control_.apply(document);
  if (applied) process_.events().emit("switch.ready", {{"generation", applied->generation}});
  return applied;
}

void SwitchApp::close() {
  domain_->stop();
  control_.clear();
}

}  // namespace testbed
