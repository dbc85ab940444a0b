// The agent: what the guest can do for the testbed, as methods of docs/protocol.md. One thread does
// everything.
#pragma once

#include "core/base/process.hpp"
#include "emu/flow/engine.hpp"
#include "emu/flow/service.hpp"
#include "emu/guest/commands.hpp"
#include "emu/guest/flow_poller.hpp"
#include "emu/guest/host_clock.hpp"
#include "emu/guest/kernel_log.hpp"
#include "emu/guest/link_watch.hpp"
#include "emu/guest/netdev.hpp"
#include "emu/guest/packet_transport.hpp"

namespace testbed::guest {

class Agent {
 public:
  // The driver of the one interface must have been inserted.
  explicit Agent(Process& process);

  // Brings the interface up with all the queue pairs it has, follows the kernel's log, and says agent.ready.
  Result<void> start();

 private:
  void register_flow_methods();
  void register_guest_methods();

  nlohmann::json clock(const nlohmann::json& params);
  Result<void> open_interface(unsigned queues);
  Result<nlohmann::json> reload();
  Result<nlohmann::json> set_queues(unsigned count);
  // A command may have changed the number of queues behind our back.
  void follow_queues();
  void close_transport();
  Result<void> open_transport();
  nlohmann::json link_status() const;
  void add_interface(nlohmann::json& status);
  void link_changed(bool up);

  Process& process_;
  HostClock clock_;
  Netdev netdev_{"eth0"};
  PacketTransport transport_{netdev_};
  flow::FlowEngine engine_;
  flow::FlowService flows_;
  FlowPoller poller_;
  Commands commands_;
  LinkWatch link_;
  KernelLog kernel_log_;
};

}  // namespace testbed::guest
