#include "core/graph/counters.hpp"

#include <numeric>

namespace testbed {
namespace {

void add_drops(DropSums& sums, const DropCounters& drops) {
  for (size_t i = 0; i < kDropReasons; ++i) sums[i] += drops.by_reason[i].get();
}

uint64_t total(const DropSums& drops) {
  return std::accumulate(drops.begin(), drops.end(), uint64_t{0});
}

}  // namespace

PortCounters::PortCounters(uint16_t workers, uint16_t queues) {
  for (uint16_t i = 0; i < workers; ++i) shards_.emplace_back(queues);
}

PortSums PortCounters::sum() const {
  PortSums sums;
  sums.queues.resize(shards_.front().queues.size());
  for (const auto& shard : shards_) {
    for (size_t q = 0; q < sums.queues.size(); ++q) {
      const QueueCounters& from = shard.queues[q];
      for (QueueSums* to : {&sums.queues[q], &sums.all}) {
        to->rx_packets += from.rx_packets.get();
        to->rx_bytes += from.rx_bytes.get();
        to->tx_packets += from.tx_packets.get();
        to->tx_bytes += from.tx_bytes.get();
      }
    }
    add_drops(sums.drops, shard.drops);
  }
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
  sent += port.all.tx_packets;
  dropped += total(port.drops);
}

void Totals::add(const BrickSums& brick) {
  replicated += brick.replicated;
  dropped += total(brick.drops);
}

}  // namespace testbed
