// The hot half of VhostPort: everything here runs on workers.
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_vhost.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "core/base/clock.hpp"
#include "core/graph/keep.hpp"
#include "vdev/gate/turn.hpp"
#include "vdev/vhost/undo_log.hpp"
#include "vdev/vhost/vhost_port.hpp"

namespace testbed::vhost {
namespace {

constexpr int kRetries = 8;

constexpr uint16_t from_guest(uint16_t pair) {
  return static_cast<uint16_t>(2 * pair + 1);
}
constexpr uint16_t to_guest(uint16_t pair) {
  return static_cast<uint16_t>(2 * pair);
}

// The library writes the word and does not log it (22.11 to 24.11): a guest that migrates would arrive with
// an old one.
int want_kicks(const SessionView& view, const QueueView& queue, uint16_t vring, bool on) {
  const int result = rte_vhost_enable_guest_notification(view.vid, vring, on);
  if (queue.event_gpa && view.log) view.log->mark(queue.event_gpa, queue.event_size);
  return result;
}

// The frames of a burst as the library takes them. Those that lie in mbufs with their heads in place go as
// they are: the library copies and never frees. Others are copied first and freed here.
class Frames {
 public:
  Frames(WorkerContext& worker, Packet* const* packets, uint16_t count, uint32_t max_frame) {
    while (count_ < count && add(worker, *packets[count_], max_frame)) {
    }
  }
  ~Frames() {
    if (copied_ > 0) rte_pktmbuf_free_bulk(copies_.data(), copied_);
  }
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;

  rte_mbuf** data() { return frames_.data(); }
  uint16_t count() const { return count_; }
  uint32_t octets() const { return octets_; }
  DropReason refusal() const { return refusal_; }

 private:
  bool refuse(DropReason reason) {
    refusal_ = reason;
    return false;
  }

  bool add(WorkerContext& worker, const Packet& packet, uint32_t max_frame) {
    if (packet.length > max_frame) return refuse(DropReason::too_big);
    auto* frame = static_cast<rte_mbuf*>(packet.payload);
    if (packet.kind != PayloadKind::mbuf || packet.head != rte_pktmbuf_mtod(frame, std::byte*) ||
        packet.length != frame->pkt_len) {
      frame = copy_to_mbuf(packet, worker.pool);
      if (frame == nullptr) return refuse(DropReason::no_memory);
      copies_[copied_++] = frame;
    }
    octets_ += packet.length;
    frames_[count_++] = frame;
    return true;
  }

  std::array<rte_mbuf*, kBurst> frames_;
  std::array<rte_mbuf*, kBurst> copies_;
  uint16_t count_ = 0, copied_ = 0;
  uint32_t octets_ = 0;
  DropReason refusal_ = DropReason::ring_full;
};

}  // namespace

uint16_t VhostPort::receive(WorkerContext& worker, uint16_t queue, Packet* packets) {
  const SessionView* view = view_.load(std::memory_order_acquire);
  if (view == nullptr || !view->receive[queue].walked()) return 0;
  if (view->receive[queue].discard) [[unlikely]] {
    discard(worker, *view, queue);
    return 0;
  }
  if (quieted_[queue] != view->serial) [[unlikely]]
    quiet(*view, queue);
  std::array<rte_mbuf*, kBurst> frames;
  const uint16_t count = dequeue(worker, *view, queue, frames.data());
  for (uint16_t i = 0; i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(frames[i], void*));
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* frame = frames[i];
    packets[i] = {.head = rte_pktmbuf_mtod(frame, std::byte*),
                  .payload = frame,
                  .length = frame->pkt_len,
                  .head_length = std::min<uint16_t>(frame->data_len, kHeadBytes),
                  .kind = PayloadKind::mbuf,
                  .flags = 0};
  }
  if (count == 0) {
    std::atomic<uint32_t>& in_vain = watched_[queue].in_vain;
    in_vain.store(in_vain.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  if (count > 0) note_packet(queue);
  return count;
}

// Takes what a disabled guest's queue has and gives the buffers back. A RARP frame that the library had to
// hand out would be lost with it; it comes when the queues of a migrated guest are enabled.
void VhostPort::discard(WorkerContext& worker, const SessionView& view, uint16_t pair) {
  std::array<rte_mbuf*, kBurst> frames;
  const uint16_t count = dequeue(worker, view, pair, frames.data());
  rte_pktmbuf_free_bulk(frames.data(), count);
  std::atomic<uint64_t>& discarded = watched_[pair].discarded;
  discarded.store(discarded.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

uint16_t VhostPort::dequeue(WorkerContext& worker, const SessionView& view, uint16_t pair,
                            rte_mbuf** frames) {
  const uint16_t vring = from_guest(pair);
  const QueueView& queue = view.receive[pair];
  if (!queue.ring)
    return rte_vhost_dequeue_burst(view.vid, vring, worker.pool, frames, std::min(kBurst, queue.size));
  const bool rarp = rarp_.load(std::memory_order_relaxed) && rarp_.exchange(false, std::memory_order_acquire);
  const uint16_t whole = begin_burst(*queue.ring, *queue.record, kBurst, 0);
  if (whole == 0 && !rarp) return 0;
  // Not more than is logged, but never 1: with a RARP frame to hand out the library would take one buffer too
  // many.
  const uint16_t most = std::clamp<uint16_t>(whole, 2, kBurst);
  const uint16_t count = rte_vhost_dequeue_burst(view.vid, vring, worker.pool, frames, most);
  end_burst(view.vid, vring, *queue.ring, *queue.record);
  return count;
}

void VhostPort::release(WorkerContext&, uint16_t, Packet* packets, uint16_t count) {
  std::array<rte_mbuf*, kBurst> frames;
  for (uint16_t i = 0; i < count; ++i) frames[i] = static_cast<rte_mbuf*>(packets[i].payload);
  rte_pktmbuf_free_bulk(frames.data(), count);
}

uint16_t VhostPort::lanes() const {
  const SessionView* view = view_.load(std::memory_order_acquire);
  return view == nullptr ? uint16_t{0} : static_cast<uint16_t>(view->outlets.size());
}

TxOutcome VhostPort::transmit(WorkerContext& worker, uint16_t lane, Packet* const* packets, uint16_t count) {
  const SessionView* view = view_.load(std::memory_order_acquire);
  if (view == nullptr) return {0, 0, DropReason::port_down};
  if (view->outlets.empty()) return {0, 0, DropReason::queue_disabled};
  const uint16_t pair = view->outlets[lane % view->outlets.size()];
  Frames frames(worker, packets, count, view->max_frame);
  const uint16_t sent = enqueue(*view, pair, frames.data(), frames.count(), frames.octets());
  if (sent == frames.count()) return {sent, pair, frames.refusal(), frames.refusal() == DropReason::too_big};
  // Buffers there are, but none of them takes this frame: the next one may fit.
  if (!view->mergeable && has_room(*view, pair)) return {sent, pair, DropReason::too_big, true};
  return {sent, pair, DropReason::ring_full};
}

uint16_t VhostPort::enqueue(const SessionView& view, uint16_t pair, rte_mbuf** frames, uint16_t count,
                            uint32_t octets) {
  if (view.transmit[pair].ring) return enqueue_packed(view, pair, frames, count, octets);
  const QueueView& queue = view.transmit[pair];
  uint16_t sent = 0;
  for (int i = 0; i <= kRetries && sent < count && !promises_too_much(view, pair); ++i) {
    const auto rest = static_cast<uint16_t>(count - sent);
    const uint16_t taken =
        rte_vhost_enqueue_burst(view.vid, to_guest(pair), frames + sent, std::min(rest, queue.size));
    if (taken == 0) break;
    sent = static_cast<uint16_t>(sent + taken);
  }
  return sent;
}

// Until the end of a burst the library notes used chains in an array as long as the ring, and takes as many
// as the driver's index promises: more than the ring has slots are written behind it. A frame is one chain,
// so bursts are no longer than the ring; in mergeable buffers it is any number, and the index is looked at
// first.
bool VhostPort::promises_too_much(const SessionView& view, uint16_t pair) const {
  return view.mergeable && rte_vhost_avail_entries(view.vid, to_guest(pair)) > view.transmit[pair].size;
}

uint16_t VhostPort::enqueue_packed(const SessionView& view, uint16_t pair, rte_mbuf** frames, uint16_t count,
                                   uint32_t octets) {
  const QueueView& queue = view.transmit[pair];
  const gate::Turn turn(turns_[pair].taken);
  uint16_t sent = 0;
  for (int i = 0; i <= kRetries && sent < count; ++i) {
    const auto rest = static_cast<uint16_t>(count - sent);
    const uint16_t whole = begin_burst(*queue.ring, *queue.record, rest, octets);
    if (whole == 0) break;
    const uint16_t taken =
        rte_vhost_enqueue_burst(view.vid, to_guest(pair), frames + sent, std::min(rest, whole));
    end_burst(view.vid, to_guest(pair), *queue.ring, *queue.record);
    if (taken == 0) break;
    sent = static_cast<uint16_t>(sent + taken);
  }
  return sent;
}

bool VhostPort::has_room(const SessionView& view, uint16_t pair) const {
  const QueueView& queue = view.transmit[pair];
  if (!view.packed) return rte_vhost_avail_entries(view.vid, to_guest(pair)) > 0;
  if (!queue.ring) return false;  // not mapped: unknown
  return queue.ring->available(queue.record->state.load(std::memory_order_relaxed).position);
}

bool VhostPort::has_work(const SessionView& view, uint16_t pair) const {
  const QueueView& queue = view.receive[pair];
  if (!view.packed) return rte_vhost_rx_queue_count(view.vid, from_guest(pair)) > 0;
  return queue.ring->available(queue.record->state.load(std::memory_order_relaxed).position) ||
         rarp_.load(std::memory_order_relaxed);
}

// Polled queues need no kicks, nor do those the guest only refills.
void VhostPort::quiet(const SessionView& view, uint16_t pair) {
  quieted_[pair] = view.serial;
  want_kicks(view, view.receive[pair], from_guest(pair), false);
  if (view.transmit[pair].enabled) want_kicks(view, view.transmit[pair], to_guest(pair), false);
}

int VhostPort::arm(uint16_t queue) {
  const SessionView* view = view_.load(std::memory_order_acquire);
  if (view == nullptr || !view->receive[queue].walked()) return kQuiet;
  const QueueView& lane = view->receive[queue];
  if (!lane.kick || (view->packed && !lane.ring)) return kNap;
  // There will be work for ever; looking now and then is enough.
  if (watched_[queue].stuck.load(std::memory_order_relaxed)) return kNap;
  if (want_kicks(*view, lane, from_guest(queue), true) != 0) return kNap;
  // What the driver made available before it saw that it should kick is found here.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!has_work(*view, queue)) return lane.kick->get();
  want_kicks(*view, lane, from_guest(queue), false);
  return kReady;
}

void VhostPort::disarm(uint16_t queue) {
  const SessionView* view = view_.load(std::memory_order_acquire);
  if (view == nullptr || !view->receive[queue].walked() || !view->receive[queue].kick) return;
  want_kicks(*view, view->receive[queue], from_guest(queue), false);
  // Never waits, though the peer may have made it a blocking descriptor again and take the count before us.
  eventfd_t count;
  const iovec into{&count, sizeof count};
  [[maybe_unused]] const ssize_t got = ::preadv2(view->receive[queue].kick->get(), &into, 1, -1, RWF_NOWAIT);
}

}  // namespace testbed::vhost
