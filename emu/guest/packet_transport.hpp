// Flows over an interface of this kernel: a packet ring and a packet sender per queue pair.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "emu/flow/transport.hpp"
#include "emu/guest/netdev.hpp"
#include "emu/guest/packet_ring.hpp"
#include "emu/guest/packet_sender.hpp"

namespace testbed::guest {

class PacketTransport final : public flow::Transport {
 public:
  explicit PacketTransport(Netdev netdev) : netdev_(std::move(netdev)) {}

  // Opens the interface as it is now (its queues, its MTU), which must be up. Sockets that were open are
  // closed first.
  Result<void> open();
  // Before the driver goes away or the number of queues changes. Nothing is sent or received until the next
  // open().
  void close();

  // Sockets to wait on for frames.
  std::vector<int> receive_fds() const;
  // Frames that came by the virtqueue and found this program's ring full: lost here, not on the way.
  uint64_t ring_drops();
  // Kept current by whoever watches the interface.
  void set_link(bool up) { link_.store(up, std::memory_order_relaxed); }

  uint16_t queues() const override { return queues_; }
  uint32_t max_frame() const override { return max_frame_; }
  bool link_up() const override { return link_.load(std::memory_order_relaxed); }
  uint16_t reserve(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  uint16_t send(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  uint16_t receive(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  void release(uint16_t queue, flow::Frame* frames, uint16_t count) override;

 private:
  Result<void> open_queues(int interface, uint16_t count);
  PacketRing* ring_of(uint16_t queue);

  Netdev netdev_;
  std::vector<PacketRing> rings_;  // in the order they joined the fanout group
  std::vector<PacketSender> senders_;
  std::vector<std::array<uint8_t, flow::kMaxFrame>> scratch_{flow::kBurst};  // shared by all queues
  uint16_t queues_ = 1;
  uint16_t group_ = 0;
  uint32_t max_frame_ = 1514;
  uint64_t drops_ = 0;
  std::atomic<bool> link_ = false;
};

}  // namespace testbed::guest
