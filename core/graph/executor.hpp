// Runs bursts through a plan, for one worker: from a receive queue depth-first through the bricks to the
// ports they leave by, before the next queue is looked at. The graph is a forest (graph/topology.hpp refuses
// loops), so the depth is bounded and no packet comes back to where it was.
//
// Made by the control thread with all memory it needs; run by its worker only.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/graph/emitter.hpp"
#include "core/graph/offload.hpp"
#include "core/graph/plan.hpp"

namespace testbed {

class Executor {
 public:
  // `plan` outlives this.
  Executor(const Plan& plan, uint16_t worker);
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  struct Round {
    uint32_t packets = 0, bursts = 0;
  };
  // Looks at each of the worker's queues once.
  Round poll(WorkerContext& worker);

  struct Source {
    Port* port;
    uint16_t queue;
    Hop out;
    QueueCounters* counters;
    DropCounters* drops;
    bool busy = false;  // had packets when it was last looked at
  };
  // The queues this worker polls.
  const std::vector<Source>& sources() const { return sources_; }

 private:
  // Hop targets with this worker's shards.
  struct Sink {
    Port* port;
    PortShard* counters;
  };
  struct Step {
    const PlanBrick* brick;
    BrickShard* counters;
  };

  void finish_round(WorkerContext& worker, QueueCounters* last);
  // A burst in which there is a runt: the others go on.
  void follow_whole(WorkerContext& worker, const Source& source, uint16_t count);
  void follow(WorkerContext& worker, const Hop& hop, Packet* const* packets, uint16_t count, uint16_t depth,
              DropCounters& unconnected);
  void run_brick(WorkerContext& worker, const Hop& hop, Packet* const* packets, uint16_t count,
                 uint16_t depth);
  void transmit(WorkerContext& worker, const Sink& sink, Packet* const* packets, uint16_t count);
  // Packets of each lane together, in the order in which they came.
  void steer(WorkerContext& worker, const Sink& sink, uint16_t lanes, Packet* const* packets, uint16_t count);
  void send(WorkerContext& worker, const Sink& sink, uint16_t lane, Packet* const* packets, uint16_t count);
  // Some of these are unfinished: what the port's peer does not take so is finished first.
  void finish(WorkerContext& worker, const Sink& sink, uint16_t lane, Packet* const* packets, uint16_t count);
  // Cuts it into frames on its way out. What does not go, with all behind it, counts as one packet dropped.
  void cut(WorkerContext& worker, const Sink& sink, uint16_t lane, const Packet& packet);

  std::vector<Source> sources_;
  std::vector<Sink> sinks_;
  std::vector<Step> steps_;
  std::vector<Emitter> emitters_;  // by depth
  Segmenter segmenter_;
  bool unfinished_ = false;        // there may be unfinished packets in the present burst
  uint16_t queue_ = 0;             // the one the present burst came in by
  std::array<Packet, kBurst> packets_;
  std::array<Packet*, kBurst> pointers_;
};

}  // namespace testbed
