#include "emu/guest/packet_transport.hpp"

#include <algorithm>
#include <cstdlib>

#include "core/base/assert.hpp"
#include "emu/guest/queue_map.hpp"
#include "emu/guest/system.hpp"

namespace testbed::guest {

Result<void> PacketTransport::open() {
  close();
  const int interface = netdev_.index();
  if (interface == 0) return fail(Errc::not_found, netdev_.name() + " is not there");
  const auto mtu =
      static_cast<uint32_t>(std::atoi(read_line("/sys/class/net/" + netdev_.name() + "/mtu").c_str()));
  max_frame_ = std::min(mtu + 14, flow::kMaxFrame);
  const auto count = static_cast<uint16_t>(std::min<unsigned>(netdev_.queues().current, kMaxMappedQueues));
  if (count > 1)
    if (auto mapped = map_priorities_to_queues(interface, count); !mapped) return mapped;
  if (auto opened = open_queues(interface, count); !opened) {
    close();
    return opened;
  }
  queues_ = count;
  set_link(netdev_.link());
  return {};
}

Result<void> PacketTransport::open_queues(int interface, uint16_t count) {
  const RingLayout layout{interface, max_frame_, count, ++group_};
  for (uint16_t queue = 0; queue < count; ++queue) {
    auto ring = PacketRing::open(layout);
    if (!ring) return tl::unexpected(ring.error());
    auto sender = PacketSender::open(interface, queue);
    if (!sender) return tl::unexpected(sender.error());
    rings_.push_back(std::move(*ring));
    senders_.push_back(std::move(*sender));
  }
  return {};
}

void PacketTransport::close() {
  for (auto& ring : rings_) drops_ += ring.take_drops();
  rings_.clear();
  senders_.clear();
  if (const int interface = netdev_.index()) (void)unmap_queues(interface);
  queues_ = 1;
}

std::vector<int> PacketTransport::receive_fds() const {
  std::vector<int> fds;
  for (const auto& ring : rings_) fds.push_back(ring.fd());
  return fds;
}

uint64_t PacketTransport::ring_drops() {
  for (auto& ring : rings_) drops_ += ring.take_drops();
  return drops_;
}

uint16_t PacketTransport::reserve(uint16_t queue, flow::Frame* frames, uint16_t count) {
  if (queue >= senders_.size()) return 0;
  count = std::min(count, flow::kBurst);
  for (uint16_t i = 0; i < count; ++i) {
    frames[i].data = scratch_[i].data();
    frames[i].handle = nullptr;
  }
  return count;
}

uint16_t PacketTransport::send(uint16_t queue, flow::Frame* frames, uint16_t count) {
  return queue < senders_.size() ? senders_[queue].send(frames, count) : uint16_t{0};
}

uint16_t PacketTransport::receive(uint16_t queue, flow::Frame* frames, uint16_t count) {
  PacketRing* ring = ring_of(queue);
  return ring ? ring->receive(frames, count) : uint16_t{0};
}

void PacketTransport::release(uint16_t queue, flow::Frame* frames, uint16_t count) {
  PacketRing* ring = ring_of(queue);
  TB_ASSERT(ring);
  ring->release(frames, count);
}

PacketRing* PacketTransport::ring_of(uint16_t queue) {
  if (queue >= rings_.size()) return nullptr;
  // PACKET_FANOUT_QM takes the recorded receive queue for its member's number, and the kernel records queue
  // + 1.
  return rings_.size() == 1 ? &rings_[0] : &rings_[(queue + 1u) % rings_.size()];
}

}  // namespace testbed::guest
