// What can go wrong with a packet between a port's queues.
#include <rte_mbuf.h>

#include <array>

#include "core/graph/keep.hpp"
#include "tests/sabotage/catalogue.hpp"
#include "tests/sabotage/probe.hpp"

namespace testbed::sabotage {
namespace {

class CorruptPayload final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    const uint16_t count = inner().receive(worker, queue, packets);
    for (uint16_t i = 0; i < count; ++i)
      if (is_probe(packets[i]) && turn().now()) packets[i].head[kPayloadAt] ^= std::byte{0x10};
    return count;
  }
};

class TruncatePacket final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    const uint16_t count = inner().receive(worker, queue, packets);
    for (uint16_t i = 0; i < count; ++i)
      if (is_probe(packets[i]) && packets[i].length > packets[i].head_length && turn().now())
        packets[i].length -= 1;
    return count;
  }
};

class DuplicatePacket final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override {
    const TxOutcome outcome = inner().transmit(worker, queue, packets, count);
    if (const uint16_t at = find_probe(packets, outcome.sent); at < outcome.sent && turn().now())
      inner().transmit(worker, queue, packets + at, 1);
    return outcome;
  }
};

// Keeps what was sent last, and sends it again to the next session.
class ReplayAfterReconnect final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  ~ReplayAfterReconnect() override { rte_pktmbuf_free_bulk(kept_.data(), count_); }

  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override {
    const TxOutcome outcome = inner().transmit(worker, queue, packets, count);
    if (outcome.sent == 0) return outcome;
    const uint64_t session = site().sessions().load(std::memory_order_acquire);
    if (std::exchange(session_, session) != session && count_ > 0 && turn().now()) replay(worker, queue);
    for (uint16_t i = 0; i < outcome.sent; ++i)
      if (is_probe(*packets[i])) keep(worker, *packets[i]);
    return outcome;
  }

 private:
  void keep(WorkerContext& worker, const Packet& packet) {
    rte_mbuf* copy = copy_to_mbuf(packet, worker.pool);
    if (copy == nullptr) return;
    if (count_ == kept_.size()) {
      rte_pktmbuf_free(kept_.front());
      std::rotate(kept_.begin(), kept_.begin() + 1, kept_.end());
      --count_;
    }
    kept_[count_++] = copy;
  }
  void replay(WorkerContext& worker, uint16_t queue) {
    for (uint16_t i = 0; i < count_; ++i) {
      Packet again = {.head = rte_pktmbuf_mtod(kept_[i], std::byte*),
                      .payload = kept_[i],
                      .length = kept_[i]->pkt_len,
                      .head_length = std::min<uint16_t>(kept_[i]->data_len, kHeadBytes),
                      .kind = PayloadKind::mbuf,
                      .flags = 0};
      Packet* one = &again;
      inner().transmit(worker, queue, &one, 1);
    }
  }
  std::array<rte_mbuf*, 8> kept_{};
  uint16_t count_ = 0;
  uint64_t session_ = 0;
};

class ReorderFlow final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    const uint16_t count = inner().receive(worker, queue, packets);
    for (uint16_t i = 0; i + 1 < count; ++i)
      if (is_probe(packets[i]) && is_probe(packets[i + 1]) && same_stream(packets[i], packets[i + 1]) &&
          turn().now())
        std::swap(packets[i], packets[i + 1]);
    return count;
  }
};

class LoseAsSent final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override {
    if (!is_probe(*packets[0]) || site().shared() == nullptr || !turn().now())
      return inner().transmit(worker, queue, packets, count);
    if (count == 1) return {1, static_cast<uint16_t>(queue % queues()), DropReason::ring_full};
    TxOutcome outcome = inner().transmit(worker, queue, packets + 1, static_cast<uint16_t>(count - 1));
    ++outcome.sent;
    return outcome;
  }
};

class DropSent final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override {
    TxOutcome outcome = inner().transmit(worker, queue, packets, count);
    if (outcome.sent == count && is_probe(*packets[count - 1]) && turn().now()) {
      --outcome.sent;
      outcome.reason = DropReason::ring_full;
      outcome.more = false;
    }
    return outcome;
  }
};

class StarveQueue final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    const bool last = queue + 1 == queues() && queue > 0;
    return last && turn().now() ? uint16_t{0} : inner().receive(worker, queue, packets);
  }
};

// Of a packet that lies in none, a copy as whoever keeps packets makes one.
class LeakMbuf final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  void release(WorkerContext& worker, uint16_t queue, Packet* packets, uint16_t count) override {
    for (uint16_t i = 0; i < count; ++i)
      if (is_probe(packets[i]) && turn().now()) leak(worker, packets[i]);
    inner().release(worker, queue, packets, count);
  }

 private:
  static void leak(WorkerContext& worker, const Packet& packet) {
    if (packet.kind == PayloadKind::mbuf)
      rte_mbuf_refcnt_update(static_cast<rte_mbuf*>(packet.payload), 1);
    else
      (void)copy_to_mbuf(packet, worker.pool);
  }
};

constexpr Saboteur kSaboteurs[] = {
    {.what = "corrupt_payload",
     .does = "a bit of a packet's payload is turned",
     .port = port_of<CorruptPayload>},
    {.what = "truncate_packet", .does = "a packet leaves an octet shorter", .port = port_of<TruncatePacket>},
    {.what = "duplicate_packet",
     .does = "a packet leaves twice, counted once",
     .port = port_of<DuplicatePacket>},
    {.what = "replay_after_reconnect",
     .does = "the last packets of a session are sent again in the next",
     .port = port_of<ReplayAfterReconnect>},
    {.what = "reorder_flow",
     .does = "two packets of one stream in a burst change places",
     .port = port_of<ReorderFlow>},
    {.what = "lose_as_sent", .does = "a packet is counted as sent and is not", .port = port_of<LoseAsSent>},
    {.what = "drop_sent", .does = "a packet that was sent is counted as dropped", .port = port_of<DropSent>},
    {.what = "starve_queue",
     .does = "the last of several queues is not served",
     .port = port_of<StarveQueue>},
    {.what = "leak_mbuf", .does = "a packet is not given back to its pool", .port = port_of<LeakMbuf>},
};

}  // namespace

std::span<const Saboteur> packet_saboteurs() {
  return kSaboteurs;
}

}  // namespace testbed::sabotage
