#include "vdev/ports.hpp"

#include "core/base/unix_socket.hpp"
#include "vdev/nic/nic_port.hpp"
#include "vdev/vhost/vhost_port.hpp"

namespace testbed {
namespace {

// What all vhost ports of a process share: made with the first of them, on the control thread.
struct Shared {
  explicit Shared(boost::asio::io_context& io) : watch(io), doorbell(io) {}
  gate::DirectoryWatch watch;
  vhost::Doorbell doorbell;
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
                                         PortEnvironment& environment, std::shared_ptr<Shared>& shared) {
  Mistakes mistakes;
  Options options(document, "", mistakes);
  if (environment.datapath != "library")
    return fail(Errc::unsupported,
                "the datapath '" + environment.datapath + "' is not in this build; use 'library'");
  if (!shared) shared = std::make_shared<Shared>(environment.io);
  return vhost::VhostPort::open(name, vhost_config(name, options), environment, shared->watch,
                                shared->doorbell);
}

}  // namespace

void register_ports(PortFactories& factories) {
  factories.add("vhost",
                {[](Options& options) { vhost_config("", options); },
                 [shared = std::shared_ptr<Shared>()](const std::string& name, const nlohmann::json& document,
                                                      PortEnvironment& environment) mutable {
                   return make_vhost(name, document, environment, shared);
                 }});
  factories.add("nic", nic::nic_port_type());
}

}  // namespace testbed
