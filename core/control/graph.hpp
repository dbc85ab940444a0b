// The ports, bricks and edges that exist now, with what they counted. Control thread only; what the workers
// see of it is a Plan. Counters of what is removed are added to `retired`, so that the totals hold for the
// process's life.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "core/graph/brick.hpp"
#include "core/graph/config.hpp"
#include "core/graph/counters.hpp"
#include "core/graph/plan.hpp"
#include "core/graph/port.hpp"

namespace testbed {

struct PortNode {
  std::unique_ptr<Port> port;
  std::unique_ptr<PortCounters> counters;
};

struct BrickNode {
  std::unique_ptr<Brick> brick;
  std::unique_ptr<BrickCounters> counters;
};

// Members at the two ends of an edge; kNoMember at a port.
struct EdgeMembers {
  Member a = kNoMember, b = kNoMember;
};

class Graph {
 public:
  explicit Graph(uint16_t workers) : workers_(workers) {}

  void add(std::unique_ptr<Port> port);
  void add(std::unique_ptr<Brick> brick);
  // Both ends exist.
  Result<void> add(const EdgeConfig& edge);

  // Takes an edge out of the next plan; its bricks keep what they know of it until forget().
  void unlink(const EdgeConfig& edge);
  // Takes them out of the next plan.
  void unlink_port(const std::string& name);
  void unlink_brick(const std::string& name);
  // After a plan without them was published: tells the bricks, ends sessions, folds the counters, destroys.
  void forget();

  Plan make_plan(uint64_t generation) const;

  const std::map<std::string, PortNode>& ports() const { return ports_; }
  const std::map<std::string, BrickNode>& bricks() const { return bricks_; }
  const std::map<EdgeConfig, EdgeMembers>& edges() const { return edges_; }
  Totals totals() const;

 private:
  Result<Member> attach(const EndConfig& end, const EndConfig& peer);
  void detach(const EndConfig& end, Member member);

  uint16_t workers_;
  std::map<std::string, PortNode> ports_;
  std::map<std::string, BrickNode> bricks_;
  std::map<EdgeConfig, EdgeMembers> edges_;
  Totals retired_;
  // Unlinked, but perhaps still in the workers' hands.
  std::map<std::string, PortNode> leaving_ports_;
  std::map<std::string, BrickNode> leaving_bricks_;
  std::map<EdgeConfig, EdgeMembers> leaving_edges_;
};

}  // namespace testbed
