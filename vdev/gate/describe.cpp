#include "vdev/gate/describe.hpp"

#include "vdev/gate/packed_circle.hpp"

namespace testbed::gate {
namespace {

using nlohmann::json;

// For split rings the indexes, for packed rings the slots, up to which the driver made buffers available and
// got them back.
void add_positions(json& entry, const Virtqueue& queue, const GuestMemory& guest,
                   const RingRecord& record) {
  if (queue.packed) {
    const auto words = queue.packed->snapshot();
    const PackedCircle ring(words);
    if (const auto driver = ring.driver()) entry["avail"] = ring.slot(*driver);
    entry["used"] = record.state.load(std::memory_order_relaxed).position & ~wire::kPositionWrap;
  } else if (queue.address) {
    if (const auto avail = split_index(guest, queue.address->available)) entry["avail"] = *avail;
    if (const auto used = split_index(guest, queue.address->used)) entry["used"] = *used;
  }
}

}  // namespace

std::optional<uint16_t> split_index(const GuestMemory& memory, uint64_t ring) {
  if (ring % 4 != 0) return std::nullopt;
  const auto mapped = memory.map(ring, sizeof(wire::SplitUsed));  // both rings begin with flags and index
  if (!mapped) return std::nullopt;
  return std::atomic_ref(reinterpret_cast<wire::SplitUsed*>((*mapped)->begin())->index)
      .load(std::memory_order_relaxed);
}

json describe_session(const Session& session, const std::vector<bool>& enabled,
                      const PortMemory& memory) {
  const Rules& rules = session.rules();
  json regions = json::array();
  for (const auto& region : session.virtqueues().guest_memory().regions())
    regions.push_back({{"gpa", hex(region.where.guest_address)},
                       {"size", region.where.size},
                       {"sealed", !describe_fd(region.file.get()).shrinkable}});
  json queues = json::array();
  for (uint16_t i = 0; i < session.virtqueues().count(); ++i) {
    const Virtqueue& queue = session.virtqueues().queue(i);
    if (queue.size == 0) continue;
    json entry = {{"index", i},
                  {"kind", i % 2 == 0 ? "tx" : "rx"},
                  {"size", queue.size},
                  {"enabled", static_cast<bool>(enabled[i])},
                  {"packed", queue.packed != nullptr}};
    add_positions(entry, queue, session.virtqueues().guest_memory(), memory.ring(i));
    queues.push_back(std::move(entry));
  }
  return {{"id", session.id()},
          {"since_ns", session.since_ns()},
          {"features",
           {{"offered", hex(rules.offered())},
            {"negotiated", hex(rules.negotiated())},
            {"names", feature_names(rules.negotiated())}}},
          {"protocol_features", hex(rules.protocol_features())},
          {"regions", std::move(regions)},
          {"queues", std::move(queues)}};
}

}  // namespace testbed::gate
