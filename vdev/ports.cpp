#include "vdev/ports.hpp"

#include "core/base/unix_socket.hpp"
#include "vdev/link/link_port.hpp"
#include "vdev/nic/nic_port.hpp"
#include "vdev/vhost/vhost_port.hpp"

namespace testbed {
namespace {

// What all vhost and link ports of a loop share: made with the first of them, on the control thread. Ends
// with the loop, whose descriptors it holds, and not with the factories, which may outlive that.
class Shared final : public boost::asio::execution_context::service {
 public:
  static inline boost::asio::execution_context::id id;
  explicit Shared(boost::asio::execution_context& loop)
      : service(loop),
        watch_(std::make_unique<gate::DirectoryWatch>(static_cast<boost::asio::io_context&>(loop))),
        doorbell_(std::make_unique<vhost::Doorbell>(static_cast<boost::asio::io_context&>(loop))) {}

  gate::DirectoryWatch& watch() { return *watch_; }
  vhost::Doorbell& doorbell() { return *doorbell_; }

 private:
  void shutdown() override {
    doorbell_.reset();
    watch_.reset();
  }

  std::unique_ptr<gate::DirectoryWatch> watch_;
  std::unique_ptr<vhost::Doorbell> doorbell_;
};

Shared& shared(PortEnvironment& environment) {
  return boost::asio::use_service<Shared>(environment.io);
}

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
                                         PortEnvironment& environment, const gate::BackendWrapper& wrap) {
  Mistakes mistakes;
  Options options(document, "", mistakes);
  if (environment.datapath != "library")
    return fail(Errc::unsupported,
                "the datapath '" + environment.datapath + "' is not in this build; use 'library'");
  gate::EndpointConfig config = vhost_config(name, options);
  config.wrap = wrap;
  return vhost::VhostPort::open(name, std::move(config), environment, shared(environment).watch(),
                                shared(environment).doorbell());
}

Result<std::unique_ptr<Port>> make_link(const std::string& name, const nlohmann::json& document,
                                        PortEnvironment& environment) {
  Mistakes mistakes;
  Options options(document, "", mistakes);
  return link::LinkPort::open(name, link::read_options(options), environment, shared(environment).watch(),
                              shared(environment).doorbell());
}

}  // namespace

void register_ports(PortFactories& factories, gate::BackendWrapper wrap) {
  factories.add("vhost", {[](Options& options) { vhost_config("", options); },
                          [wrap = std::move(wrap)](const std::string& name, const nlohmann::json& document,
                                                   PortEnvironment& environment) {
                            return make_vhost(name, document, environment, wrap);
                          }});
  factories.add("link", {[](Options& options) { link::read_options(options); }, make_link});
  factories.add("nic", nic::nic_port_type());
}

}  // namespace testbed
