// The orders in force, and the parts of a switch wrapped so that they are carried out.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/app/program.hpp"
#include "tests/sabotage/catalogue.hpp"

namespace testbed::sabotage {

// Control thread, but for the turns and sites it hands out. Lives as long as the process.
class Sabotage {
 public:
  explicit Sabotage(std::vector<Order> orders) : orders_(std::move(orders)) {}
  Sabotage(const Sabotage&) = delete;
  Sabotage& operator=(const Sabotage&) = delete;

  // testbed-switch's own parts, with the saboteurs among them. Refers to this.
  Parts parts();

 private:
  Site& site(const std::string& port);
  Turn& turn(const Order& order, Site& site);
  std::unique_ptr<Port> wrap(std::unique_ptr<Port> port, boost::asio::io_context& io);
  std::unique_ptr<gate::Backend> wrap(const std::string& port, std::unique_ptr<gate::Backend> backend);
  std::unique_ptr<Brick> wrap(std::unique_ptr<Brick> brick);
  PortType wrap(const PortType& type);
  BrickType wrap(const BrickType& type);

  const std::vector<Order> orders_;
  std::map<std::string, Site> sites_;                           // by port; "" for what has none
  std::map<std::pair<const Order*, const Site*>, Turn> turns_;  // of an order, over all sessions of a port
};

}  // namespace testbed::sabotage
