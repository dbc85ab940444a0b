#include "core/graph/counters.hpp"

#include <numeric>

namespace testbed {
namespace {

void add_drops(DropSums& sums, const DropCounters& drops) {
  for (size_t i = 0; i < kDropReasons; ++i) sums[i] += drops.by_reason[i].get();
}

QueueSums read(const QueueCounters& queue) {
  return {queue.rx_packets.get(), queue.rx_bytes.get(), queue.tx_packets.get(), queue.tx_bytes.get(),
          queue.busy_cycles.get()};
}

uint64_t total(const DropSums& drops) {
  return std::accumulate(drops.begin(), drops.end(), uint64_t{0});
}

}  // namespace

QueueSums& QueueSums::operator+=(const QueueSums& other) {
  rx_packets += other.rx_packets;
  rx_bytes += other.rx_bytes;
  tx_packets += other.tx_packets;
  tx_bytes += other.tx_bytes;
  busy_cycles += other.busy_cycles;
  return *this;
}

PortCounters::PortCounters(uint16_t workers, uint16_t queues) {
  for (uint16_t i = 0; i < workers; ++i) shards_.emplace_back(queues);
}

PortSums PortCounters::sum() const {
  PortSums sums;
  sums.queues.resize(shards_.front().queues.size());
  for (const auto& shard : shards_) {
    for (size_t q = 0; q < sums.queues.size(); ++q) sums.queues[q] += read(shard.queues[q]);
    sums.replicated += shard.replicated.get();
    add_drops(sums.drops, shard.drops);
  }
  for (const QueueSums& queue : sums.queues) sums.all += queue;  // not read anew: they add up exactly
  return sums;
}

BrickSums BrickCounters::sum() const {
  BrickSums sums;
  for (const auto& shard : shards_) {
    sums.forwarded += shard.forwarded.get();
    sums.flooded += shard.flooded.get();
    sums.replicated += shard.replicated.get();
    add_drops(sums.drops, shard.drops);
  }
  return sums;
}

void Totals::add(const PortSums& port) {
  received += port.all.rx_packets;
  replicated += port.replicated;
  sent += port.all.tx_packets;
  dropped += total(port.drops);
}

void Totals::add(const BrickSums& brick) {
  replicated += brick.replicated;
  dropped += total(brick.drops);
}

}  // namespace testbed
