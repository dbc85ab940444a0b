#include "vdev/ports.hpp"

#include "core/base/unix_socket.hpp"
#include "vdev/link/link_port.hpp"
#include "vdev/nic/nic_port.hpp"
#include "vdev/ring/ring_port.hpp"
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
        doorbell_(std::make_unique<gate::Doorbell>(static_cast<boost::asio::io_context&>(loop))) {}

  gate::DirectoryWatch& watch() { return *watch_; }
  gate::Doorbell& doorbell() { return *doorbell_; }
  ring::Scratches& scratches(uint16_t workers) {
    if (!scratches_) scratches_ = std::make_unique<ring::Scratches>(workers);
    return *scratches_;
  }

 private:
  void shutdown() override {
    doorbell_.reset();
    watch_.reset();
  }

  std::unique_ptr<gate::DirectoryWatch> watch_;
  std::unique_ptr<gate::Doorbell> doorbell_;
  std::unique_ptr<ring::Scratches> scratches_;
};

Shared& shared(PortEnvironment& environment) {
  return boost::asio::use_service<Shared>(environment.io);
}

// Who walks a guest's rings: DPDK's library, or we.
std::string datapath_of(Options& options, const std::string& fallback) {
  return options.choice("datapath", {"library", "ring"}, fallback);
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
  const std::string datapath = datapath_of(options, environment.datapath);
  gate::EndpointConfig config = vhost_config(name, options);
  config.wrap = wrap;
  if (datapath == "ring")
    return ring::RingPort::open(name, std::move(config), environment, shared(environment).watch(),
                                shared(environment).doorbell(), shared(environment).scratches(environment.workers));
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
  factories.add("vhost", {[](Options& options) {
                            vhost_config("", options);
                            datapath_of(options, "library");
                          },
                          [wrap = std::move(wrap)](const std::string& name, const nlohmann::json& document,
                                                   PortEnvironment& environment) {
                            return make_vhost(name, document, environment, wrap);
                          }});
  factories.add("link", {[](Options& options) { link::read_options(options); }, make_link});
  factories.add("nic", nic::nic_port_type());
}

}  // namespace testbed
