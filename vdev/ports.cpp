#include "vdev/ports.hpp"

#include "core/base/unix_socket.hpp"
#include "vdev/link/link_port.hpp"
#include "vdev/nic/nic_port.hpp"
#include "vdev/vhost/vhost_port.hpp"

namespace testbed {
namespace {

// What all vhost and link ports of a process share: made with the first of them, on the control thread.
struct Shared {
  Shared(boost::asio::io_context& io, gate::BackendWrapper between)
      : watch(io), doorbell(io), wrap(std::move(between)) {}
  gate::DirectoryWatch watch;
  vhost::Doorbell doorbell;
  const gate::BackendWrapper wrap;
};

gate::EndpointConfig vhost_config(const std::string& name, Options& options) {
  gate::EndpointConfig config;
  config.port = name;
  config.role = options.choice("role", {"server", "client"}, "server") == "server" ? gate::Role::server
                                                                                   : gate::Role::client;
  config.path = options.text("path");
  config.queue_pairs = static_cast<uint16_t>(options.number("queues", 1, 1, wire::kMaxQueuePairs));
  config.deadline = std::chrono::milliseconds(options.number("deadline_ms", 5000, 10, 3'600'000));
  if (auto ok = check_socket_path(config.path); !ok && !config.path.empty())
    options.mistake("path", ok.error().message);
  return config;
}

Result<std::unique_ptr<Port>> make_vhost(const std::string& name, const nlohmann::json& document,
                                         PortEnvironment& environment, Shared& shared) {
  Mistakes mistakes;
  Options options(document, "", mistakes);
  if (environment.datapath != "library")
    return fail(Errc::unsupported,
                "the datapath '" + environment.datapath + "' is not in this build; use 'library'");
  gate::EndpointConfig config = vhost_config(name, options);
  config.wrap = shared.wrap;
  return vhost::VhostPort::open(name, std::move(config), environment, shared.watch, shared.doorbell);
}

Result<std::unique_ptr<Port>> make_link(const std::string& name, const nlohmann::json& document,
                                        PortEnvironment& environment, Shared& shared) {
  Mistakes mistakes;
  Options options(document, "", mistakes);
  return link::LinkPort::open(name, link::read_options(options), environment, shared.watch, shared.doorbell);
}

}  // namespace

void register_ports(PortFactories& factories, gate::BackendWrapper wrap) {
  const auto shared = std::make_shared<std::unique_ptr<Shared>>();
  const auto made = [shared, wrap = std::move(wrap)](PortEnvironment& environment) -> Shared& {
    if (!*shared) *shared = std::make_unique<Shared>(environment.io, wrap);
    return **shared;
  };
  factories.add("vhost", {[](Options& options) { vhost_config("", options); },
                          [made](const std::string& name, const nlohmann::json& document,
                                 PortEnvironment& environment) {
                            return make_vhost(name, document, environment, made(environment));
                          }});
  factories.add(
      "link", {[](Options& options) { link::read_options(options); },
               [made](const std::string& name, const nlohmann::json& document, PortEnvironment& environment) {
                 return make_link(name, document, environment, made(environment));
               }});
  factories.add("nic", nic::nic_port_type());
}

}  // namespace testbed
