// A learning Ethernet switch (IEEE 802.1D's relay without spanning tree: the graph has no loops).
//
// A frame's source address is learnt at the member it came in by; a frame to a known address leaves by that
// member, any other by all members but its own. Options: `ageing_ms` (300000), `capacity` (16384 addresses),
// `static` (address -> the name at the edge's other end).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/counter.hpp"
#include "core/base/spsc_ring.hpp"
#include "core/bricks/fdb.hpp"
#include "core/graph/brick.hpp"
#include "core/graph/brick_factory.hpp"

namespace testbed {

class SwitchBrick final : public Brick {
 public:
  struct Settings {
    uint32_t ageing_s = 300;
    size_t capacity = 16384;
    std::map<Mac, std::string> statics;  // address -> peer
  };
  static Settings read(Options& options, const std::set<std::string>* peers);
  static BrickType type();

  SwitchBrick(std::string name, Settings settings, uint16_t workers, EventLog& events, uint64_t key);

  Result<Member> attach(const std::string& side, const std::string& peer) override;
  void detach(Member member) override;
  Result<void> configure(const nlohmann::json& options) override;
  nlohmann::json describe() const override;
  void tick(uint64_t now_ns) override;
  Result<nlohmann::json> fdb() const override;
  void process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
               Emitter& out) override;

 private:
  // Where a packet goes: a member, or one of these.
  static constexpr Member kFlood = 0xfffe, kHairpin = 0xfffd, kReserved = 0xfffc, kSourceless = 0xfffb,
                          kNothing = kNoMember;

  struct Run {
    Mac source, destination;
    uint16_t first;  // of the burst
  };
  struct Move {
    Mac mac;
    Member from, to;
    uint64_t t;
  };
  // dataplane: rw (one worker), control: ro
  struct alignas(64) Shard {
    Counter learned, moved, evicted;
    SpscRing<Move, 64> moves;  // what does not fit is counted, but makes no event
  };

  // Learns the run's source; says where it goes.
  Member follow(Shard& shard, const Run& run, Member from, uint32_t now_s);
  void learn(Shard& shard, Mac mac, Member from, uint32_t now_s);
  Member resolve(Mac destination, Member from) const;
  static DropReason why_not(Member target, const Packet& packet);
  static void emit(Member target, Packet* const* packets, uint16_t count, Member from, Emitter& out);
  std::string peer_of(Member member) const;
  Result<void> apply_statics(const std::string& peer, Member member);
  void report_moves();

  Settings settings_;
  EventLog& events_;
  Fdb fdb_;
  std::vector<Shard> shards_;                      // by worker
  std::vector<std::optional<std::string>> peers_;  // by member; control thread only
  uint64_t aged_ = 0;
  uint32_t swept_s_ = 0;
};

}  // namespace testbed
