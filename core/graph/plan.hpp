// What the workers run: ports, bricks and where every edge leads, with all names resolved. Immutable once
// published; the control thread builds the next one beside it and frees this one after quiescence. The ports,
// bricks and counters it points to live at least as long.
#pragma once

#include <cstdint>
#include <vector>

#include "core/graph/brick.hpp"
#include "core/graph/counters.hpp"
#include "core/graph/port.hpp"

namespace testbed {

// Where a packet goes next.
struct Hop {
  enum class Kind : uint8_t { nowhere, port, brick };
  Kind kind = Kind::nowhere;
  Member member = kNoMember;  // of the brick it enters
  uint32_t node = 0;          // index into Plan::ports or Plan::bricks
};

struct PlanPort {
  Port* port;
  PortCounters* counters;
  Hop out;  // where its received packets go
  // Receive queue q is polled by worker pinned[q % size]; empty: by whom the policy says
  // (worker/assignment.hpp).
  std::vector<uint16_t> pinned;
};

struct PlanBrick {
  Brick* brick;
  BrickCounters* counters;
  std::vector<Hop> members;       // by member number; nowhere for a member that is not attached
  std::vector<Member> connected;  // the attached ones: where a flood goes
};

struct PlanQueue {
  uint32_t port;  // index into Plan::ports
  uint16_t queue;
  bool operator==(const PlanQueue&) const = default;
};

struct Plan {
  uint64_t generation = 0;
  std::vector<PlanPort> ports;
  std::vector<PlanBrick> bricks;
  std::vector<std::vector<PlanQueue>> polls;  // by worker; every receive queue stands in one of them at most
  uint16_t depth = 0;                         // bricks on the longest way through the graph
};

}  // namespace testbed
