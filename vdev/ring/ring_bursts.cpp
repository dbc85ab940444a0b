// The hot half of RingPort: everything here runs on workers.
#include <sys/eventfd.h>
#include <sys/uio.h>

#include <cstring>

#include "vdev/gate/turn.hpp"
#include "vdev/ring/ring_port.hpp"
#include "vdev/ring/sink.hpp"
#include "vdev/ring/source.hpp"

namespace testbed::ring {
namespace {

// A gratuitous RARP frame (RFC 903): "I am at", from and to the same address.
constexpr uint16_t kAnnouncementOctets = 60;
void write_announcement(std::byte* to, uint64_t mac) {
  static constexpr uint8_t kRarp[] = {0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};
  std::memset(to, 0, kAnnouncementOctets);
  std::memset(to, 0xff, 6);
  std::memcpy(to + 6, &mac, 6);
  std::memcpy(to + 12, kRarp, sizeof kRarp);
  std::memcpy(to + 22, &mac, 6);
  std::memcpy(to + 32, &mac, 6);
}

}  // namespace

uint16_t RingPort::receive(WorkerContext& worker, uint16_t queue, Packet* packets) {
  const SessionView* view = view_.load(std::memory_order_acquire);
  if (view == nullptr) return 0;
  const Lane& lane = view->receive[queue];
  if (!lane.walked()) return 0;
  if (announcement_.load(std::memory_order_relaxed) != 0) [[unlikely]]
    if (const uint16_t count = receive_announcement(worker, packets); count > 0) return count;
  Walk& walk = *lane.walk;
  if (walk.stuck.load(std::memory_order_relaxed) != Fault::none) [[unlikely]]
    return 0;
  const uint16_t count = view->packed ? receive_from(worker, *view, lane, lane.packed, walk.packed, packets)
                                      : receive_from(worker, *view, lane, lane.split, walk.split, packets);
  if (count > 0) note_packet(queue);
  return count;
}

template <typename Ring>
uint16_t RingPort::receive_from(WorkerContext& worker, const SessionView& view, const Lane& lane,
                                const Ring& ring, typename Ring::Cursor& cursor, Packet* packets) {
  Faults faults;
  Scratch& scratch = scratches_.of(worker);
  scratch.taken_by = &view;
  uint16_t count = Source<Ring>(ring, cursor, view.terms, scratch, *lane.record).take(packets, faults);
  if (faults.count > 0) [[unlikely]]
    note(lane, faults);
  if (lane.discard) [[unlikely]] {
    lane.walk->discarded.fetch_add(count, std::memory_order_relaxed);
    count = 0;
  }
  // Nobody calls release() for a burst without packets.
  if (count == 0 && scratch.taken > 0) [[unlikely]]
    give_back(worker, view, lane, ring, cursor);
  return count;
}

void RingPort::release(WorkerContext& worker, uint16_t queue, Packet* packets, uint16_t /*count*/) {
  if (packets[0].kind != PayloadKind::guest) return;  // the announcement
  // Also if the session is over by now: whoever ended it waits for this worker.
  const SessionView& view = *scratches_.of(worker).taken_by;
  const Lane& lane = view.receive[queue];
  if (view.packed)
    give_back(worker, view, lane, lane.packed, lane.walk->packed);
  else
    give_back(worker, view, lane, lane.split, lane.walk->split);
}

template <typename Ring>
void RingPort::give_back(WorkerContext& worker, const SessionView& view, const Lane& lane, const Ring& ring,
                         typename Ring::Cursor& cursor) {
  const typename Ring::Cursor before = cursor;
  Scratch& scratch = scratches_.of(worker);
  Source<Ring>(ring, cursor, view.terms, scratch, *lane.record).give_back();
  if (lane.call) scratch.calls.owe(worker, ring, before, cursor, lane.call->get());
}

uint16_t RingPort::lanes() const {
  const SessionView* view = view_.load(std::memory_order_acquire);
  return view == nullptr ? uint16_t{0} : static_cast<uint16_t>(view->outlets.size());
}

Port::Takes RingPort::takes() const {
  const SessionView* view = view_.load(std::memory_order_acquire);
  return view == nullptr ? Takes{} : view->terms.takes;
}

TxOutcome RingPort::transmit(WorkerContext& worker, uint16_t lane, Packet* const* packets, uint16_t count) {
  const SessionView* view = view_.load(std::memory_order_acquire);
  if (view == nullptr) return {0, 0, DropReason::port_down};
  if (view->outlets.empty()) return {0, 0, DropReason::queue_disabled};
  const uint16_t pair =
      view->outlets.size() == 1 ? view->outlets[0] : view->outlets[lane % view->outlets.size()];
  const Lane& to = view->transmit[pair];
  return view->packed ? transmit_to(worker, *view, pair, to.packed, to.walk->packed, packets, count)
                      : transmit_to(worker, *view, pair, to.split, to.walk->split, packets, count);
}

template <typename Ring>
TxOutcome RingPort::transmit_to(WorkerContext& worker, const SessionView& view, uint16_t pair, const Ring& ring,
                                typename Ring::Cursor& cursor, Packet* const* packets, uint16_t count) {
  const Lane& lane = view.transmit[pair];
  const gate::Turn turn(lane.walk->taken);
  if (lane.walk->stuck.load(std::memory_order_relaxed) != Fault::none) [[unlikely]]
    return {0, pair, DropReason::ring_full};
  const typename Ring::Cursor before = cursor;
  Faults faults;
  Scratch& scratch = scratches_.of(worker);
  const auto outcome =
      Sink<Ring>(ring, cursor, view.terms, scratch, *lane.record).put(packets, count, faults);
  if (faults.count > 0) [[unlikely]]
    note(lane, faults);
  if (lane.call && Ring::moved(before, cursor)) scratch.calls.owe(worker, ring, before, cursor, lane.call->get());
  return {outcome.sent, pair, outcome.reason, outcome.more};
}

void RingPort::note(const Lane& lane, const Faults& faults) {
  Walk& walk = *lane.walk;
  walk.last_fault.store(faults.last, std::memory_order_relaxed);
  walk.last_head.store(faults.head, std::memory_order_relaxed);
  walk.faults.fetch_add(faults.count, std::memory_order_relaxed);
  if (stops_the_ring(faults.last)) {
    walk.stops.fetch_add(1, std::memory_order_relaxed);
    walk.stuck.store(faults.last, std::memory_order_release);
  }
  if (!fault_noted_.exchange(true, std::memory_order_acq_rel)) doorbell_.ring();
}

uint16_t RingPort::receive_announcement(WorkerContext& worker, Packet* packets) {
  const uint64_t mac = announcement_.exchange(0, std::memory_order_acquire);
  if (mac == 0) return 0;  // another worker was faster
  std::byte* head = scratches_.of(worker).heads[0].data();
  write_announcement(head, mac);
  packets[0] = {.head = head,
                .payload = head,
                .length = kAnnouncementOctets,
                .head_length = kAnnouncementOctets,
                .kind = PayloadKind::memory,
                .flags = 0};
  return 1;
}

int RingPort::arm(uint16_t queue) {
  const SessionView* view = view_.load(std::memory_order_acquire);
  if (view == nullptr || !view->receive[queue].walked()) return kQuiet;
  const Lane& lane = view->receive[queue];
  Walk& walk = *lane.walk;
  if (announcement_.load(std::memory_order_acquire) != 0) return kReady;
  if (walk.stuck.load(std::memory_order_relaxed) != Fault::none) return kQuiet;  // until it starts again
  if (!lane.kick) return kNap;
  // What the driver made available before it saw that it should kick is found by the second look.
  if (view->packed) {
    lane.packed.want_kicks(walk.packed, true);
    if (!lane.packed.waiting(walk.packed)) return lane.kick->get();
    lane.packed.want_kicks(walk.packed, false);
  } else {
    lane.split.want_kicks(walk.split, true);
    if (!lane.split.waiting(walk.split)) return lane.kick->get();
    lane.split.want_kicks(walk.split, false);
  }
  return kReady;
}

void RingPort::disarm(uint16_t queue) {
  const SessionView* view = view_.load(std::memory_order_acquire);
  if (view == nullptr || !view->receive[queue].walked() || !view->receive[queue].kick) return;
  const Lane& lane = view->receive[queue];
  if (view->packed)
    lane.packed.want_kicks(lane.walk->packed, false);
  else
    lane.split.want_kicks(lane.walk->split, false);
  // Never waits, though the peer may have made it a blocking descriptor again and take the count before us.
  eventfd_t count;
  const iovec into{&count, sizeof count};
  [[maybe_unused]] const ssize_t got = ::preadv2(lane.kick->get(), &into, 1, -1, RWF_NOWAIT);
}

}  // namespace testbed::ring
