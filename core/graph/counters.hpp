// What ports and bricks count. Each worker has a shard of its own on its own cache lines and is the only one
// to write it; the control thread sums the shards when somebody asks. The objects outlive every plan that
// counts into them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/base/counter.hpp"
#include "core/graph/drop.hpp"

namespace testbed {

inline constexpr size_t kCacheLine = 64;

struct DropCounters {
  std::array<Counter, kDropReasons> by_reason;
  Counter& operator[](DropReason reason) { return by_reason[static_cast<size_t>(reason)]; }
};

// dataplane: rw (owner), control: ro
struct alignas(kCacheLine) QueueCounters {
  Counter rx_packets, rx_bytes, tx_packets, tx_bytes;
  Counter busy_cycles;  // of the TSC: receiving what came in by this queue, and all that was done with it
};

struct PortShard {
  explicit PortShard(uint16_t queue_count) : queues(queue_count) {}
  std::vector<QueueCounters> queues;
  alignas(kCacheLine) Counter replicated;  // frames that were cut out of packets on their way out, less those packets
  DropCounters
      drops;  // of packets that were to leave here, and of those that came in by a port without an edge
};

struct alignas(kCacheLine) BrickShard {
  Counter forwarded;   // packets sent on by one edge
  Counter flooded;     // packets sent on by all edges but one
  Counter replicated;  // what flooding made of them, less the packets themselves
  DropCounters drops;
};

using DropSums = std::array<uint64_t, kDropReasons>;

struct QueueSums {
  uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0, busy_cycles = 0;
  QueueSums& operator+=(const QueueSums& other);
};

struct PortSums {
  QueueSums all;
  uint64_t replicated = 0;
  std::vector<QueueSums> queues;
  DropSums drops{};
};

struct BrickSums {
  uint64_t forwarded = 0, flooded = 0, replicated = 0;
  DropSums drops{};
};

class PortCounters {
 public:
  PortCounters(uint16_t workers, uint16_t queues);
  PortShard& shard(uint16_t worker) { return shards_[worker]; }
  PortSums sum() const;

 private:
  std::deque<PortShard> shards_;
};

class BrickCounters {
 public:
  explicit BrickCounters(uint16_t workers) : shards_(workers) {}
  BrickShard& shard(uint16_t worker) { return shards_[worker]; }
  BrickSums sum() const;

 private:
  std::vector<BrickShard> shards_;
};

// At any quiet moment received + replicated = sent + dropped.
struct Totals {
  uint64_t received = 0, replicated = 0, sent = 0, dropped = 0;

  void add(const PortSums& port);
  void add(const BrickSums& brick);
};

}  // namespace testbed
