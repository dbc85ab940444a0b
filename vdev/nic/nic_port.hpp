// Any DPDK ethdev as a port of the switch. Received frames are mbufs of the device's own pool; transmitted
// ones are references to (or copies of) what the source still owns, because an ethdev keeps what it sends
// beyond the burst.
#pragma once

#include <rte_spinlock.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/base/counter.hpp"
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
  uint16_t lanes() const override { return options_.queues; }
  TxOutcome transmit(WorkerContext& worker, uint16_t lane, Packet* const* packets, uint16_t count) override;
  int arm(uint16_t queue) override;
  void disarm(uint16_t queue) override;

 private:
  struct alignas(64) TxLock {
    rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;
  };
  // dataplane: rw (the worker that owns the queue), control: ro
  struct alignas(64) Refused {
    Counter too_big;
  };
  bool fits(const Packet& packet) const;
  uint16_t send(uint16_t queue, rte_mbuf** mbufs, uint16_t count);
  bool link_down(uint64_t now_ns);

  EthdevOptions options_;
  std::unique_ptr<Ethdev> device_;
  uint32_t longest_;  // octets of an untagged frame
  bool shared_;       // several workers
  std::vector<TxLock> locks_;
  std::vector<Refused> refused_;  // by receive queue
  // dataplane: rw (any worker)
  std::atomic<uint64_t> ask_link_ns_ = 0;  // not before
  std::atomic<bool> link_down_ = false;    // as it was found then
};

// The port type "nic": {"device", "queues", "mtu"}.
PortType nic_port_type();

}  // namespace testbed::nic
