// One virtio_user frontend as a transport of flows: DPDK's virtio-net driver on a vhost-user socket.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "emu/flow/transport.hpp"
#include "emu/load/access.hpp"
#include "emu/load/caller.hpp"
#include "emu/load/driver_messages.hpp"
#include "emu/load/frontend_options.hpp"
#include "emu/load/held_buffers.hpp"

namespace testbed::load {

struct PoolDeleter {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using Pool = std::unique_ptr<rte_mempool, PoolDeleter>;

class VirtioPort : public flow::Transport, public Caller {
 public:
  // Probes, configures and starts the device. Blocks until the backend is there (server role) and has shaken
  // hands: call it on a thread of its own. Errc::disconnected and Errc::system may pass: try again.
  static Result<std::unique_ptr<VirtioPort>> open(const FrontendOptions& options, const std::string& device);
  // Closes the device. Blocks when the backend does not answer.
  ~VirtioPort() override;

  uint16_t queues() const override { return queues_; }
  uint32_t max_frame() const override { return max_frame_; }
  bool link_up() const override { return access_.may_send(); }
  uint16_t reserve(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  uint16_t send(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  uint16_t receive(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  void release(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  bool ask_for_calls() override;
  void refuse_calls() override;
  std::span<const int> call_fds() const override { return call_fds_; }

  // For a user that moves mbufs itself instead of frames.
  uint16_t ethdev() const { return port_; }
  rte_mempool* send_pool() const { return tx_pool_.get(); }

  // The worker begins to poll, and has left off for good.
  void attach() { access_.attach(); }
  void leave() { access_.leave(); }

 private:
  VirtioPort(const FrontendOptions& options, std::string device);
  Result<void> make_pools(const FrontendOptions& options);
  Result<void> probe(const FrontendOptions& options);
  Result<void> configure(const FrontendOptions& options);
  Result<void> start();
  static int on_link_change(uint16_t port, rte_eth_event_type event, void* self, void* result);
  void follow_link();
  void found_nothing();
  bool scatter(rte_mbuf* first, const flow::Frame& frame);

  std::string device_, path_;
  uint16_t queues_;
  uint32_t max_frame_;
  uint32_t buffer_;  // octets of frame one mbuf holds
  Pool rx_pool_, tx_pool_;
  std::vector<int> call_fds_;  // the driver's, by receive queue
  bool asked_for_calls_ = false;
  std::vector<HeldBuffers> held_;  // by queue; empty where the driver does not need it
  uint16_t port_ = RTE_MAX_ETHPORTS;
  bool callback_ = false;
  DriverMessages messages_;
  Access access_;
  uint16_t empty_queues_ = 0;  // in a row
  std::unique_ptr<uint8_t[]>
      tx_scratch_;  // kBurst frames of kMaxFrame, for those that need more than one mbuf
  std::unique_ptr<uint8_t[]> rx_scratch_;
};

}  // namespace testbed::load
