// One step of packet processing. A brick has members: the places where edges end on it, numbered from 0 by
// the order in which they were attached and stable for as long as they stay attached. Two-sided bricks have
// the members "west" and "east"; switches and hubs have one member for each edge.
//
// A brick sees packets by their headers. For every packet it is given it calls exactly one of the emitter's
// forward(), flood() and drop(); what it calls is what the conservation check adds up.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/base/result.hpp"
#include "core/graph/drop.hpp"
#include "core/graph/packet.hpp"
#include "core/graph/port.hpp"

namespace testbed {

using Member = uint16_t;
inline constexpr Member kNoMember = 0xffff;

class Emitter;  // graph/emitter.hpp

class Brick {
 public:
  explicit Brick(std::string name) : name_(std::move(name)) {}
  virtual ~Brick() = default;
  Brick(const Brick&) = delete;
  Brick& operator=(const Brick&) = delete;

  const std::string& name() const { return name_; }

  // -- Cold: control thread.
  // A new edge ends here. `side` is what the user wrote behind the dot ("" for none); `peer` names the edge's
  // other end. Returns the member number, which may be that of a detached member. invalid_argument: no such
  // side, or it is taken.
  virtual Result<Member> attach(const std::string& side, const std::string& peer) = 0;
  // The edge is gone and the workers are quiescent: forget what was learnt about it.
  virtual void detach(Member member) = 0;
  // Takes changed options live; Errc::unsupported asks for the brick to be rebuilt.
  virtual Result<void> configure(const nlohmann::json& options) = 0;
  // The `bricks` entry of docs/protocol.md, without the counters that the graph keeps for every brick.
  virtual nlohmann::json describe() const = 0;
  // About every kTickNs: age, report, write out.
  static constexpr uint64_t kTickNs = 100'000'000;
  virtual void tick(uint64_t now_ns) { (void)now_ns; }
  // The `fdb` reply of docs/protocol.md.
  virtual Result<nlohmann::json> fdb() const {
    return fail(Errc::unsupported, "brick " + name_ + " has no forwarding database");
  }

  // -- Hot: any worker, several at a time.
  virtual void process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
                       Emitter& out) = 0;

 private:
  std::string name_;
};

}  // namespace testbed
