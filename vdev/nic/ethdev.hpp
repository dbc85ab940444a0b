// An ethdev's life: made from a devargs string ("net_tap0,iface=tb0"), configured, started; stopped and
// removed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"

struct rte_mempool;

namespace testbed::nic {

struct EthdevOptions {
  std::string devargs;  // what EAL's --vdev takes: driver name with a number, then key=value pairs
  uint16_t queues = 1;  // pairs of receive and transmit queues
  uint16_t mtu = 1500;  // octets of payload a frame may carry
};

// Control thread only, but for the burst functions that use its port id.
class Ethdev {
 public:
  // Errc::unsupported: no such driver is linked, or the device has fewer queues or carries a smaller MTU; the
  // message names what there is.
  static Result<std::unique_ptr<Ethdev>> open(const EthdevOptions& options);
  // Workers no longer use the device.
  ~Ethdev();
  Ethdev(const Ethdev&) = delete;
  Ethdev& operator=(const Ethdev&) = delete;

  uint16_t id() const { return id_; }
  // The device tells when a receive queue has work: rx_interrupt_fd() is valid.
  bool has_rx_interrupts() const { return rx_interrupts_; }
  int rx_interrupt_fd(uint16_t queue) const { return rx_fds_[queue]; }
  // For what the device is given to send when those it belongs to cannot spare it (NicPort::transmit).
  rte_mempool* transmit_pool() const { return transmit_pool_; }
  // Asks the driver, which may ask the kernel.
  bool link_up() const;

 private:
  Ethdev(std::string name, uint16_t id) : name_(std::move(name)), id_(id) {}
  Result<void> start(const EthdevOptions& options);
  void find_rx_interrupts(uint16_t queues);
  void drain(uint16_t queues);
  Result<rte_mempool*> make_pool(unsigned mbufs, uint32_t frame_octets) const;

  std::string name_;
  uint16_t id_;
  bool started_ = false;
  bool rx_interrupts_ = false;
  std::vector<int> rx_fds_;  // by queue; of a device with interrupts
  rte_mempool* receive_pool_ = nullptr;
  rte_mempool* transmit_pool_ = nullptr;
};

// "net_tap0" of "net_tap0,iface=tb0".
std::string device_name(const std::string& devargs);

}  // namespace testbed::nic
