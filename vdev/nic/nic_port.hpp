// Any DPDK ethdev as a port of the switch. Received frames are mbufs of the device's own pool; transmitted ones are
// references to (or copies of) what the source still owns, because an ethdev keeps what it sends beyond the burst.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <rte_spinlock.h>

#include "core/graph/port.hpp"
#include "core/graph/port_factory.hpp"
#include "vdev/nic/ethdev.hpp"

struct rte_mbuf;

namespace testbed::nic {

class NicPort : public Port {
 public:
  // `workers` > 1: transmit queues are locked, since any worker may transmit to any port.
  NicPort(std::string name, EthdevOptions options, std::unique_ptr<Ethdev> device, uint16_t workers);

  nlohmann::json describe() const override;
  uint16_t queues() const override { return options_.queues; }
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override;
  void release(WorkerContext& worker, uint16_t queue, Packet* packets, uint16_t count) override;
  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override;
  int arm(uint16_t queue) override;
  void disarm(uint16_t queue) override;

 private:
  struct alignas(64) TxLock {
    rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;
  };
  uint16_t send(uint16_t queue, rte_mbuf** mbufs, uint16_t count);

  EthdevOptions options_;
  std::unique_ptr<Ethdev> device_;
  bool shared_;  // several workers
  std::vector<TxLock> locks_;
};

// The port type "nic": {"device", "queues", "mtu"}.
PortType nic_port_type();

}  // namespace testbed::nic
