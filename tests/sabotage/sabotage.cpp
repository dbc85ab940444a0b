#include "tests/sabotage/sabotage.hpp"

#include "vdev/ports.hpp"

namespace testbed::sabotage {

Site& Sabotage::site(const std::string& port) {
  return sites_.try_emplace(port, port).first->second;
}

Turn& Sabotage::turn(const Order& order, Site& site) {
  return turns_.try_emplace({&order, &site}, order, site.sessions()).first->second;
}

std::unique_ptr<Port> Sabotage::wrap(std::unique_ptr<Port> port, boost::asio::io_context& io) {
  Site& here = site(port->name());
  here.io = &io;
  for (const Order& order : orders_) {
    const Saboteur& saboteur = *find_saboteur(order.what);
    if (saboteur.port != nullptr && (order.port.empty() || order.port == here.port()))
      port = saboteur.port(std::move(port), turn(order, here), here);
  }
  return port;
}

std::unique_ptr<gate::Backend> Sabotage::wrap(const std::string& port,
                                              std::unique_ptr<gate::Backend> backend) {
  Site& here = site(port);
  backend = std::make_unique<Tap>(std::move(backend), here);
  for (const Order& order : orders_) {
    const Saboteur& saboteur = *find_saboteur(order.what);
    if (saboteur.backend != nullptr && (order.port.empty() || order.port == port))
      backend = saboteur.backend(std::move(backend), turn(order, here), here);
  }
  return backend;
}

std::unique_ptr<Brick> Sabotage::wrap(std::unique_ptr<Brick> brick) {
  for (const Order& order : orders_) {
    const Saboteur& saboteur = *find_saboteur(order.what);
    if (saboteur.brick != nullptr) brick = saboteur.brick(std::move(brick), turn(order, site(order.port)));
  }
  return brick;
}

PortType Sabotage::wrap(const PortType& type) {
  return {type.check,
          [this, create = type.create](const std::string& name, const nlohmann::json& options,
                                       PortEnvironment& environment) -> Result<std::unique_ptr<Port>> {
            auto port = create(name, options, environment);
            if (!port) return port;
            return wrap(std::move(*port), environment.io);
          }};
}

BrickType Sabotage::wrap(const BrickType& type) {
  BrickType wrapped = type;
  wrapped.create = [this, create = type.create](
                       const std::string& name, const nlohmann::json& options,
                       BrickEnvironment& environment) -> Result<std::unique_ptr<Brick>> {
    auto brick = create(name, options, environment);
    if (!brick) return brick;
    return wrap(std::move(*brick));
  };
  return wrapped;
}

Parts Sabotage::parts() {
  Parts all;
  PortFactories released;
  register_ports(released, [this](const std::string& port, std::unique_ptr<gate::Backend> backend) {
    return wrap(port, std::move(backend));
  });
  for (const auto& name : released.names()) all.ports.add(name, wrap(*released.find(name)));
  for (auto& [name, type] : all.bricks) type = wrap(type);
  all.started = [this](Process& process, Switch& control) {
    for (const Order& order : orders_)
      if (const Saboteur& saboteur = *find_saboteur(order.what); saboteur.process != nullptr)
        saboteur.process(process, control, turn(order, site(order.port)));
  };
  return all;
}

}  // namespace testbed::sabotage
