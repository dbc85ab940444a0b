#include "core/bricks/switch_brick.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "core/base/clock.hpp"
#include "core/bricks/ethernet.hpp"
#include "core/graph/emitter.hpp"

namespace testbed {
namespace {

uint32_t seconds(uint64_t ns) {
  return static_cast<uint32_t>(ns / 1'000'000'000u);
}

}  // namespace

SwitchBrick::SwitchBrick(std::string name, Settings settings, uint16_t workers, EventLog& events,
                         uint64_t key)
    : Brick(std::move(name)),
      settings_(std::move(settings)),
      events_(events),
      fdb_(settings_.capacity, key),
      shards_(workers) {
}

// -- Hot

// Packets that follow each other between the same two addresses are one run: what holds for the first holds for all.
// Two passes: the first asks for the cache lines the second will read.
void SwitchBrick::process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
                          Emitter& out) {
  std::array<Run, kBurst> runs;
  uint16_t found = 0;
  Addresses last;
  for (uint16_t i = 0; i < count; ++i) {
    const Packet& packet = *packets[i];
    const Addresses here = packet.head_length >= kEthernetHeader ? addresses_of(packet) : Addresses{};
    if (here == last && i > 0) continue;
    last = here;
    runs[found++] = {here.source(), here.destination(), i};
    fdb_.prefetch(here.source());
    fdb_.prefetch(here.destination());
  }

  const uint32_t now_s = seconds(worker.now_ns);
  Shard& shard = shards_[worker.id];
  Member target = kNothing;
  uint16_t start = 0;  // runs to the same target leave together
  for (uint16_t i = 0; i < found; ++i) {
    const Run& run = runs[i];
    const Member next = follow(shard, run, from, now_s);
    if (next == target) continue;
    if (i > 0) emit(target, packets + start, static_cast<uint16_t>(run.first - start), from, out);
    target = next;
    start = run.first;
  }
  emit(target, packets + start, static_cast<uint16_t>(count - start), from, out);
}

inline Member SwitchBrick::follow(Shard& shard, const Run& run, Member from, uint32_t now_s) {
  if (run.source == 0 || (run.source & kMulticastBit)) [[unlikely]]
    return kSourceless;
  learn(shard, run.source, from, now_s);
  return resolve(run.destination, from);
}

inline void SwitchBrick::learn(Shard& shard, Mac mac, Member from, uint32_t now_s) {
  const auto [outcome, before] = fdb_.learn(mac, from, now_s);
  if (outcome == Fdb::Outcome::known) [[likely]]
    return;
  switch (outcome) {
    case Fdb::Outcome::known:
    case Fdb::Outcome::refused:
      break;
    case Fdb::Outcome::evicted:
      shard.evicted.add(1);
      [[fallthrough]];
    case Fdb::Outcome::added:
      shard.learned.add(1);
      break;
    case Fdb::Outcome::moved:
      shard.moved.add(1);
      shard.moves.push({mac, before, from, now_ns()});
  }
}

inline Member SwitchBrick::resolve(Mac destination, Member from) const {
  if (destination & kMulticastBit) return is_link_local_group(destination) ? kReserved : kFlood;
  const Member member = fdb_.lookup(destination);
  if (member == kNoMember) return kFlood;
  return member == from ? kHairpin : member;
}

DropReason SwitchBrick::why_not(Member target, const Packet& packet) {
  if (target == kHairpin) return DropReason::hairpin;
  if (target == kReserved) return DropReason::reserved;
  return packet.head_length < kEthernetHeader ? DropReason::runt : DropReason::bad_source;
}

inline void SwitchBrick::emit(Member target, Packet* const* packets, uint16_t count, Member from,
                              Emitter& out) {
  if (target <= Fdb::kMaxMember) [[likely]]
    return out.forward(packets, count, target);
  for (uint16_t i = 0; i < count; ++i) {
    if (target == kFlood)
      out.flood(packets[i], from);
    else
      out.drop(packets[i], why_not(target, *packets[i]));
  }
}

// -- Cold

Result<Member> SwitchBrick::attach(const std::string& /*side*/, const std::string& peer) {
  size_t member = 0;
  while (member < peers_.size() && peers_[member]) ++member;
  if (member > Fdb::kMaxMember)
    return fail(Errc::exhausted, "brick " + name() + " has no member numbers left");
  if (auto done = apply_statics(peer, static_cast<Member>(member)); !done)
    return tl::unexpected(done.error());
  if (member == peers_.size()) peers_.emplace_back();
  peers_[member] = peer;
  return static_cast<Member>(member);
}

void SwitchBrick::detach(Member member) {
  report_moves();  // while the name is known
  peers_[member].reset();
  fdb_.flush(member);
}

Result<void> SwitchBrick::apply_statics(const std::string& peer, Member member) {
  for (const auto& [mac, at] : settings_.statics)
    if (at == peer)
      if (auto added = fdb_.add_static(mac, member); !added) return added;
  return {};
}

Result<void> SwitchBrick::configure(const nlohmann::json& document) {
  Mistakes mistakes;
  Options options(document, "", mistakes);
  Settings next = read(options, nullptr);
  if (!mistakes.empty()) return fail(std::move(mistakes));
  if (next.capacity != settings_.capacity)
    return fail(Errc::unsupported, "another capacity needs a new table");
  for (const auto& [mac, peer] : settings_.statics) {
    const auto kept = next.statics.find(mac);
    if (kept == next.statics.end() || kept->second != peer) fdb_.remove_static(mac);
  }
  settings_ = std::move(next);
  for (size_t member = 0; member < peers_.size(); ++member)
    if (peers_[member])
      if (auto done = apply_statics(*peers_[member], static_cast<Member>(member)); !done) return done;
  return {};
}

std::string SwitchBrick::peer_of(Member member) const {
  return member < peers_.size() && peers_[member] ? *peers_[member] : std::string();
}

void SwitchBrick::report_moves() {
  for (auto& shard : shards_)
    while (const auto move = shard.moves.pop())
      events_.emit("fdb.moved",
                   {{"brick", name()},
                    {"mac", to_string_mac(move->mac)},
                    {"from", peer_of(move->from)},
                    {"to", peer_of(move->to)}},
                   move->t);
}

void SwitchBrick::tick(uint64_t now) {
  report_moves();
  if (seconds(now) == std::exchange(swept_s_, seconds(now))) return;
  aged_ += fdb_.age(seconds(now), settings_.ageing_s);
}

nlohmann::json SwitchBrick::describe() const {
  uint64_t learned = 0, moved = 0, evicted = 0;
  for (const auto& shard : shards_) {
    learned += shard.learned.get();
    moved += shard.moved.get();
    evicted += shard.evicted.get();
  }
  return {{"type", "switch"}, {"learned", learned}, {"moved", moved}, {"aged", aged_}, {"evicted", evicted}};
}

Result<nlohmann::json> SwitchBrick::fdb() const {
  nlohmann::json entries = nlohmann::json::array();
  const uint32_t now_s = seconds(now_ns());
  for (const auto& entry : fdb_.entries()) {
    const uint32_t age_s = entry.is_static || entry.seen_s > now_s ? 0 : now_s - entry.seen_s;
    entries.push_back({{"mac", to_string_mac(entry.mac)},
                       {"member", entry.member},
                       {"peer", peer_of(entry.member)},
                       {"static", entry.is_static},
                       {"age_s", age_s}});
  }
  return nlohmann::json{{"entries", std::move(entries)}, {"capacity", fdb_.capacity()}};
}

}  // namespace testbed
