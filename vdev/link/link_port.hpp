// A cable to another switch of this host (or to QEMU's `-netdev stream`, or to passt): no device, no
// privileges, and either end may be killed and started again at any time. Why not memif or virtio_user:
// docs/decisions/0007.
#pragma once

#include <rte_spinlock.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>

#include "core/graph/port.hpp"
#include "core/graph/port_factory.hpp"
#include "vdev/gate/connector.hpp"
#include "vdev/link/link_session.hpp"
#include "vdev/gate/doorbell.hpp"

namespace testbed::link {

struct LinkOptions {
  bool server = false;
  std::string path;
};

LinkOptions read_options(Options& options);

class LinkPort final : public Port {
 public:
  // Errc::busy: another live process serves the path.
  static Result<std::unique_ptr<Port>> open(std::string name, LinkOptions options,
                                            PortEnvironment& environment, gate::DirectoryWatch& watch,
                                            gate::Doorbell& doorbell);
  ~LinkPort() override;

  nlohmann::json describe() const override;
  uint16_t queues() const override { return 1; }
  void disconnect() override;
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override;
  void release(WorkerContext& worker, uint16_t queue, Packet* packets, uint16_t count) override;
  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override;
  int arm(uint16_t queue) override;

 private:
  LinkPort(std::string name, LinkOptions options, PortEnvironment& environment, gate::Doorbell& doorbell);
  Result<void> listen();
  void wait_for_peer();
  void connected(Fd socket);
  void look();
  void end(const std::string& reason);

  LinkOptions options_;
  PortEnvironment& environment_;
  gate::Doorbell& doorbell_;
  boost::asio::posix::stream_descriptor listener_;
  std::unique_ptr<gate::Connector> connector_;
  std::unique_ptr<LinkSession> session_;           // control thread
  std::atomic<LinkSession*> published_ = nullptr;  // control thread writes, workers read
  rte_spinlock_t sending_ = RTE_SPINLOCK_INITIALIZER;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed::link
