// What can go wrong in guest memory: with used entries, headers and octets beside buffers.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "tests/sabotage/catalogue.hpp"
#include "tests/sabotage/ring_view.hpp"
#include "vdev/wire/virtio_net.hpp"

namespace testbed::sabotage {
namespace {

constexpr uint16_t kPairs = 8;  // the first so many of a port

constexpr uint16_t to_guest(uint16_t pair) {
  return static_cast<uint16_t>(2 * pair);
}

// Looks at every buffer the port has just given back to its guest with a packet in it. The driver may see
// the buffer before it is spoilt; of many, that matters little.
class SpoilSent : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override {
    const auto shared = site().shared();
    std::array<RingView::Mark, kPairs> before;
    for (uint16_t pair = 0; shared && pair < std::min(queues(), kPairs); ++pair)
      if (const auto ring = RingView::of(*shared, to_guest(pair))) before[pair] = ring->mark();
    const TxOutcome outcome = inner().transmit(worker, queue, packets, count);
    if (!shared || outcome.sent == 0 || outcome.queue >= kPairs) return outcome;
    if (const auto ring = RingView::of(*shared, to_guest(outcome.queue)))
      for (const auto& buffer : ring->given_back_since(before[outcome.queue]))
        if (turn().now()) spoil(*shared, buffer);
    return outcome;
  }

 private:
  virtual void spoil(const Shared& shared, const RingView::Buffer& buffer) = 0;
};

class WrongUsedLength final : public SpoilSent {
 public:
  using SpoilSent::SpoilSent;

 private:
  void spoil(const Shared&, const RingView::Buffer& buffer) override {
    std::atomic_ref(*buffer.used_length).fetch_add(0x10000, std::memory_order_relaxed);
  }
};

// The virtio-net header at the start of a buffer.
class SpoilHeader : public SpoilSent {
 public:
  using SpoilSent::SpoilSent;

 private:
  void spoil(const Shared& shared, const RingView::Buffer& buffer) final {
    auto* at = shared.at_guest(buffer.address, sizeof(wire::VirtioNetHeaderMergeable));
    if (at != nullptr) spoil(*reinterpret_cast<wire::VirtioNetHeaderMergeable*>(at));
  }
  virtual void spoil(wire::VirtioNetHeaderMergeable& header) = 0;
};

class WrongBuffers final : public SpoilHeader {
 public:
  using SpoilHeader::SpoilHeader;

 private:
  void spoil(wire::VirtioNetHeaderMergeable& header) override { header.buffers = 0; }
};

class StaleHeader final : public SpoilHeader {
 public:
  using SpoilHeader::SpoilHeader;

 private:
  void spoil(wire::VirtioNetHeaderMergeable& header) override {
    header.header.flags = 1;     // VIRTIO_NET_HDR_F_NEEDS_CSUM
    header.header.gso_type = 1;  // VIRTIO_NET_HDR_GSO_TCPV4
  }
};

class WritePastBuffer final : public SpoilSent {
 public:
  using SpoilSent::SpoilSent;

 private:
  void spoil(const Shared& shared, const RingView::Buffer& buffer) override {
    if (auto* beyond = shared.at_guest(buffer.address + buffer.capacity, 1)) *beyond = std::byte{0xff};
  }
};

// The first octets of guest memory, which nobody posted.
class WriteElsewhere final : public SpoilSent {
 public:
  using SpoilSent::SpoilSent;

 private:
  void spoil(const Shared& shared, const RingView::Buffer&) override {
    if (shared.regions.empty()) return;
    std::byte& octet = *shared.regions.front().memory->begin();
    octet = static_cast<std::byte>(static_cast<uint8_t>(octet) +
                                   1);  // another value each time: a look may be near
  }
};

// The driver's own half of the ring: its used_event, which lies behind the available ring.
class WriteAvailRing final : public SpoilSent {
 public:
  using SpoilSent::SpoilSent;

 private:
  void spoil(const Shared& shared, const RingView::Buffer&) override {
    const Shared::Ring& ring = shared.rings[0];
    const uint64_t used_event = ring.address->available + sizeof(wire::SplitAvail) + 2u * ring.size;
    if (auto* octet = shared.at_user(used_event, 1)) *octet = std::byte{0xff};
  }
};

class CallStorm final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    if (turn().now()) call();
    return inner().receive(worker, queue, packets);
  }

 private:
  void call() {
    const auto shared = site().shared();
    if (shared && !shared->rings.empty() && shared->rings[0].call)
      ::eventfd_write(shared->rings[0].call->get(), 1);
  }
};

class RepeatUsed final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override {
    const TxOutcome outcome = inner().transmit(worker, queue, packets, count);
    const auto shared = site().shared();
    if (outcome.sent > 0 && shared && turn().now())
      if (auto ring = RingView::of(*shared, to_guest(outcome.queue))) ring->repeat_last();
    return outcome;
  }
};

class LoseUsed final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    const auto shared = site().shared();
    if (shared)
      if (auto ring = RingView::of(*shared, static_cast<uint16_t>(2 * queue + 1));
          ring && ring->has_next() && turn().now())
        ring->skip_next();
    return inner().receive(worker, queue, packets);
  }
};

constexpr Saboteur kSaboteurs[] = {
    {.what = "wrong_used_length",
     .does = "a used entry names more octets than the buffer has",
     .port = port_of<WrongUsedLength>},
    {.what = "wrong_num_buffers", .does = "a header says num_buffers 0", .port = port_of<WrongBuffers>},
    {.what = "stale_header", .does = "offload flags are left set in a header", .port = port_of<StaleHeader>},
    {.what = "write_past_buffer",
     .does = "one octet behind a buffer is written",
     .port = port_of<WritePastBuffer>},
    {.what = "write_elsewhere",
     .does = "guest memory that nobody posted is written",
     .port = port_of<WriteElsewhere>},
    {.what = "write_avail_ring",
     .does = "the driver's own ring area is written",
     .port = port_of<WriteAvailRing>},
    {.what = "call_storm", .does = "the guest is interrupted without cause", .port = port_of<CallStorm>},
    {.what = "repeat_used", .does = "a used entry is given twice", .port = port_of<RepeatUsed>},
    {.what = "lose_used",
     .does = "a buffer the guest made available never comes back, and its packet is lost",
     .port = port_of<LoseUsed>},
};

}  // namespace

std::span<const Saboteur> ring_saboteurs() {
  return kSaboteurs;
}

}  // namespace testbed::sabotage
