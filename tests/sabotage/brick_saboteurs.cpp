// What can go wrong between the ports.

#include "core/graph/emitter.hpp"
#include "tests/sabotage/catalogue.hpp"
#include "tests/sabotage/probe.hpp"

namespace testbed::sabotage {
namespace {

// Takes a probe out of the burst; what becomes of it says the derived class.
class TakeOne : public BrickDecorator {
 public:
  using BrickDecorator::BrickDecorator;
  void process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
               Emitter& out) override {
    const uint16_t at = find_probe(packets, count);
    if (at == count || !may_take(from) || !turn().now())
      return inner().process(worker, from, packets, count, out);
    if (at > 0) inner().process(worker, from, packets, at, out);
    taken(packets[at], out);
    const auto rest = static_cast<uint16_t>(count - at - 1);
    if (rest > 0) inner().process(worker, from, packets + at + 1, rest, out);
  }

 private:
  virtual bool may_take(Member) const { return true; }
  virtual void taken(Packet* packet, Emitter& out) = 0;
};

class WrongPort final : public TakeOne {
 public:
  using TakeOne::TakeOne;

 private:
  bool may_take(Member from) const override { return from != last_member(); }
  void taken(Packet* packet, Emitter& out) override { out.forward(packet, last_member()); }
};

class SwallowPacket final : public TakeOne {
 public:
  using TakeOne::TakeOne;

 private:
  void taken(Packet*, Emitter&) override {}
};

// Copies that the brick does not own up to: a flood that is counted as a single forward.
class FloodUncounted final : public TakeOne {
 public:
  using TakeOne::TakeOne;

 private:
  bool may_take(Member from) const override { return from == 0 && last_member() > 1; }
  void taken(Packet* packet, Emitter& out) override {
    out.forward(packet, 1);
    out.forward(packet, last_member());
  }
};

// As if the table had an address where it moved from, not to.
class LearnWrongPort final : public BrickDecorator {
 public:
  using BrickDecorator::BrickDecorator;
  void process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
               Emitter& out) override {
    const bool wrong = from != last_member() && is_probe(*packets[0]) && turn().now();
    inner().process(worker, wrong ? last_member() : from, packets, count, out);
  }
};

constexpr Saboteur kSaboteurs[] = {
    {.what = "wrong_port",
     .does = "a packet leaves by the port that was attached last",
     .brick = brick_of<WrongPort>},
    {.what = "swallow_packet",
     .does = "a packet is neither forwarded nor counted as dropped",
     .brick = brick_of<SwallowPacket>},
    {.what = "flood_uncounted",
     .does = "a packet is copied to a second port, and the copy not counted",
     .brick = brick_of<FloodUncounted>},
    {.what = "learn_wrong_port",
     .does = "an address is learnt at the port that was attached last",
     .brick = brick_of<LearnWrongPort>},
};

}  // namespace

std::span<const Saboteur> brick_saboteurs() {
  return kSaboteurs;
}

}  // namespace testbed::sabotage
