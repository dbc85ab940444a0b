#include "core/graph/executor.hpp"

#include <rte_cycles.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "core/graph/steering.hpp"

namespace testbed {
namespace {

uint64_t sum_lengths(Packet* const* packets, uint16_t count) {
  uint64_t sum = 0;
  for (uint16_t i = 0; i < count; ++i) sum += packets[i]->length;
  return sum;
}

bool is_whole(const Packet* packet) {
  return packet->length >= kEthernetHeader;
}

// What has to be known of a burst before it goes on.
struct Survey {
  uint64_t octets = 0;
  uint32_t shortest = UINT32_MAX;
  uint8_t flags = 0;
};
Survey survey(const Packet* packets, uint16_t count) {
  Survey all;
  for (uint16_t i = 0; i < count; ++i) {
    all.octets += packets[i].length;
    all.shortest = std::min(all.shortest, packets[i].length);
    all.flags |= packets[i].flags;
  }
  return all;
}

bool taken(const Port::Takes& takes, const Unfinished& unfinished) {
  switch (unfinished.cut) {
    case Unfinished::Cut::none:
      return takes.checksum;
    case Unfinished::Cut::tcp4:
      return takes.tcp4;
    case Unfinished::Cut::tcp6:
      return takes.tcp6;
  }
  return false;
}

}  // namespace

Executor::Executor(const Plan& plan, uint16_t worker) {
  for (size_t i = 0; i < kBurst; ++i) pointers_[i] = &packets_[i];
  for (const auto& port : plan.ports) sinks_.push_back({port.port, &port.counters->shard(worker)});
  size_t members = 0;
  for (const auto& brick : plan.bricks) {
    steps_.push_back({&brick, &brick.counters->shard(worker)});
    members = std::max(members, brick.members.size());
  }
  for (uint16_t depth = 0; depth < plan.depth; ++depth) emitters_.emplace_back(members);
  for (const auto& poll : plan.polls[worker]) {
    PortShard& counters = *sinks_[poll.port].counters;
    sources_.push_back({plan.ports[poll.port].port, poll.queue, plan.ports[poll.port].out,
                        &counters.queues[poll.queue], &counters.drops});
  }
}

Executor::Round Executor::poll(WorkerContext& worker) {
  Round round;
  uint64_t since = rte_rdtsc();
  bool looked_in_vain = false;  // since then; at nobody's expense
  QueueCounters* last = nullptr;  // of the queue that had packets last
  for (Source& source : sources_) {
    if (source.busy && looked_in_vain) since = rte_rdtsc();
    const uint16_t count = source.port->receive(worker, source.queue, packets_.data());
    source.busy = count > 0;
    if (count == 0) {
      looked_in_vain = true;
      continue;
    }
    source.counters->rx_packets.add(count);
    const Survey burst = survey(packets_.data(), count);
    source.counters->rx_bytes.add(burst.octets);
    unfinished_ = burst.flags != 0;
    queue_ = source.queue;
    // No brick and no port has to expect less than a header.
    if (burst.shortest >= kEthernetHeader) [[likely]]
      follow(worker, source.out, pointers_.data(), count, 0, *source.drops);
    else
      follow_whole(worker, source, count);
    source.port->release(worker, source.queue, packets_.data(), count);
    round.packets += count;
    ++round.bursts;
    const uint64_t now = rte_rdtsc();
    source.counters->busy_cycles.add(now - since);
    since = now;
    looked_in_vain = false;
    last = source.counters;
  }
  if (worker.after_round != nullptr) finish_round(worker, last);
  return round;
}

// Also when no packet came: buffers of packets that nobody may have were given back.
void Executor::finish_round(WorkerContext& worker, QueueCounters* last) {
  const uint64_t since = rte_rdtsc();
  std::exchange(worker.after_round, nullptr)->after_round();
  if (last != nullptr) last->busy_cycles.add(rte_rdtsc() - since);
}

void Executor::follow_whole(WorkerContext& worker, const Source& source, uint16_t count) {
  std::array<Packet*, kBurst> kept;
  const auto end = std::copy_if(pointers_.data(), pointers_.data() + count, kept.begin(), is_whole);
  const auto whole = static_cast<uint16_t>(end - kept.begin());
  (*source.drops)[DropReason::runt].add(static_cast<uint64_t>(count - whole));
  if (whole > 0) follow(worker, source.out, kept.data(), whole, 0, *source.drops);
}

void Executor::follow(WorkerContext& worker, const Hop& hop, Packet* const* packets, uint16_t count,
                      uint16_t depth, DropCounters& unconnected) {
  switch (hop.kind) {
    case Hop::Kind::port:
      return transmit(worker, sinks_[hop.node], packets, count);
    case Hop::Kind::brick:
      return run_brick(worker, hop, packets, count, depth);
    case Hop::Kind::nowhere:
      unconnected[DropReason::unconnected].add(count);
  }
}

void Executor::run_brick(WorkerContext& worker, const Hop& hop, Packet* const* packets, uint16_t count,
                         uint16_t depth) {
  const Step& step = steps_[hop.node];
  Emitter& out = emitters_[depth];
  out.begin(step.brick->members.size(), step.brick->connected);
  step.brick->brick->process(worker, hop.member, packets, count, out);
  out.account(*step.counters);
  for (const auto& slot : out.touched())
    follow(worker, step.brick->members[slot.member], slot.packets.data(), slot.count,
           static_cast<uint16_t>(depth + 1), step.counters->drops);
  out.clear();
}

void Executor::transmit(WorkerContext& worker, const Sink& sink, Packet* const* packets, uint16_t count) {
  const uint16_t lanes = sink.port->lanes();
  if (lanes > 1) return steer(worker, sink, lanes, packets, count);
  if (unfinished_) [[unlikely]]
    return finish(worker, sink, queue_, packets, count);
  send(worker, sink, queue_, packets, count);
}

void Executor::steer(WorkerContext& worker, const Sink& sink, uint16_t lanes, Packet* const* packets,
                     uint16_t count) {
  std::array<uint16_t, kBurst> lane;
  for (uint16_t i = 0; i < count; ++i) lane[i] = lane_of(flow_hash(*packets[i]), lanes);
  static_assert(kBurst == 32);
  uint32_t left = count == kBurst ? ~0u : (1u << count) - 1;
  while (left != 0) {  // at most once for each packet
    const uint16_t wanted = lane[static_cast<size_t>(std::countr_zero(left))];
    std::array<Packet*, kBurst> group;
    uint16_t grouped = 0;
    for (uint32_t rest = left; rest != 0; rest &= rest - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(rest));
      if (lane[i] != wanted) continue;
      group[grouped++] = packets[i];
      left &= ~(1u << i);
    }
    if (unfinished_) [[unlikely]]
      finish(worker, sink, wanted, group.data(), grouped);
    else
      send(worker, sink, wanted, group.data(), grouped);
  }
}

void Executor::send(WorkerContext& worker, const Sink& sink, uint16_t lane, Packet* const* packets,
                    uint16_t count) {
  while (count > 0) {  // ends: every turn but the last counts a packet out
    const TxOutcome outcome = sink.port->transmit(worker, lane, packets, count);
    TB_ASSERT(outcome.sent <= count);
    if (outcome.sent > 0) {
      TB_ASSERT(outcome.queue < sink.counters->queues.size());
      QueueCounters& counters = sink.counters->queues[outcome.queue];
      counters.tx_packets.add(outcome.sent);
      counters.tx_bytes.add(sum_lengths(packets, outcome.sent));
    }
    const auto rest = static_cast<uint16_t>(count - outcome.sent);
    if (rest == 0) return;
    const uint16_t dropped = outcome.more ? 1 : rest;
    sink.counters->drops[outcome.reason].add(dropped);
    packets += outcome.sent + dropped;
    count = static_cast<uint16_t>(rest - dropped);
  }
}

void Executor::finish(WorkerContext& worker, const Sink& sink, uint16_t lane, Packet* const* packets,
                      uint16_t count) {
  const Port::Takes takes = sink.port->takes();
  std::array<Packet*, kBurst> ready;
  uint16_t waiting = 0;
  for (uint16_t i = 0; i < count; ++i) {
    Packet& packet = *packets[i];
    const bool done = (packet.flags & kUnfinished) == 0 || taken(takes, packet.unfinished);
    if (done || (packet.unfinished.cut == Unfinished::Cut::none && finish_checksum(packet))) {
      ready[waiting++] = &packet;
    } else if (packet.unfinished.cut == Unfinished::Cut::none) {
      sink.counters->drops[DropReason::bad_offload].add(1);
    } else {
      send(worker, sink, lane, ready.data(), std::exchange(waiting, uint16_t{0}));
      cut(worker, sink, lane, packet);
    }
  }
  send(worker, sink, lane, ready.data(), waiting);
}

void Executor::cut(WorkerContext& worker, const Sink& sink, uint16_t lane, const Packet& packet) {
  if (!segmenter_.begin(packet)) return sink.counters->drops[DropReason::bad_offload].add(1);
  std::array<Packet*, kBurst> frames;
  uint32_t made = 0;
  while (const uint16_t count = segmenter_.next(frames)) {
    const TxOutcome outcome = sink.port->transmit(worker, lane, frames.data(), count);
    sink.counters->queues[outcome.queue].tx_packets.add(outcome.sent);
    sink.counters->queues[outcome.queue].tx_bytes.add(sum_lengths(frames.data(), outcome.sent));
    made += outcome.sent;
    if (outcome.sent == count) continue;
    sink.counters->drops[outcome.reason].add(1);
    ++made;
    break;
  }
  sink.counters->replicated.add(made - 1);
}

}  // namespace testbed
