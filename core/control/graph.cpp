#include "core/control/graph.hpp"

#include <utility>

#include "core/graph/topology.hpp"

namespace testbed {
namespace {

template <typename Node>
void move_node(std::map<std::string, Node>& from, std::map<std::string, Node>& to, const std::string& name) {
  to.insert(from.extract(name));
}

}  // namespace

void Graph::add(std::unique_ptr<Port> port) {
  auto counters = std::make_unique<PortCounters>(workers_, port->queues());
  const std::string name = port->name();
  ports_[name] = {std::move(port), std::move(counters)};
}

void Graph::add(std::unique_ptr<Brick> brick) {
  const std::string name = brick->name();
  bricks_[name] = {std::move(brick), std::make_unique<BrickCounters>(workers_)};
}

Result<Member> Graph::attach(const EndConfig& end, const EndConfig& peer) {
  const auto brick = bricks_.find(end.node);
  return brick == bricks_.end() ? Result<Member>(kNoMember)
                                : brick->second.brick->attach(end.side, peer.text());
}

void Graph::detach(const EndConfig& end, Member member) {
  const auto brick = bricks_.find(end.node);  // a brick that leaves too needs no telling
  if (member != kNoMember && brick != bricks_.end()) brick->second.brick->detach(member);
}

Result<void> Graph::add(const EdgeConfig& edge) {
  const auto a = attach(edge.a, edge.b);
  if (!a) return tl::unexpected(a.error());
  const auto b = attach(edge.b, edge.a);
  if (!b) {
    detach(edge.a, *a);
    return tl::unexpected(b.error());
  }
  edges_[edge] = {*a, *b};
  return {};
}

void Graph::unlink(const EdgeConfig& edge) {
  leaving_edges_.insert(edges_.extract(edge));
}
void Graph::unlink_port(const std::string& name) {
  move_node(ports_, leaving_ports_, name);
}
void Graph::unlink_brick(const std::string& name) {
  move_node(bricks_, leaving_bricks_, name);
}

void Graph::forget() {
  for (const auto& [edge, members] : leaving_edges_) {
    detach(edge.a, members.a);
    detach(edge.b, members.b);
  }
  leaving_edges_.clear();
  for (auto& [name, node] : leaving_ports_) {
    node.port.reset();
    retired_.add(node.counters->sum());
  }
  leaving_ports_.clear();
  for (const auto& [name, node] : leaving_bricks_) retired_.add(node.counters->sum());
  leaving_bricks_.clear();
}

Plan Graph::make_plan(uint64_t generation) const {
  Plan plan;
  plan.generation = generation;
  std::map<std::string, Hop> hops;  // where a packet for this node goes, but for the member
  for (const auto& [name, node] : ports_) {
    hops[name] = {Hop::Kind::port, kNoMember, static_cast<uint32_t>(plan.ports.size())};
    plan.ports.push_back({node.port.get(), node.counters.get(), {}, {}});
  }
  Config shape;  // for longest_way
  for (const auto& [name, node] : bricks_) {
    hops[name] = {Hop::Kind::brick, kNoMember, static_cast<uint32_t>(plan.bricks.size())};
    plan.bricks.push_back({node.brick.get(), node.counters.get(), {}, {}});
    shape.bricks[name];
  }
  const auto lead = [&](const EndConfig& from, Member out, const EndConfig& to, Member in) {
    const Hop& source = hops.at(from.node);
    Hop target = hops.at(to.node);
    target.member = in;
    if (source.kind == Hop::Kind::port) {
      plan.ports[source.node].out = target;
      return;
    }
    PlanBrick& brick = plan.bricks[source.node];
    if (brick.members.size() <= out) brick.members.resize(out + 1u);
    brick.members[out] = target;
    brick.connected.push_back(out);
  };
  for (const auto& [edge, members] : edges_) {
    lead(edge.a, members.a, edge.b, members.b);
    lead(edge.b, members.b, edge.a, members.a);
    shape.edges.push_back(edge);
  }
  plan.depth = longest_way(shape);
  return plan;
}

Totals Graph::totals() const {
  Totals totals = retired_;
  for (const auto* ports : {&ports_, &leaving_ports_})
    for (const auto& [name, node] : *ports) totals.add(node.counters->sum());
  for (const auto* bricks : {&bricks_, &leaving_bricks_})
    for (const auto& [name, node] : *bricks) totals.add(node.counters->sum());
  return totals;
}

}  // namespace testbed
