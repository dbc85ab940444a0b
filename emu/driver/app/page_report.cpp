#include "emu/driver/app/page_report.hpp"

#include <algorithm>

#include "emu/driver/app/payload.hpp"
#include "emu/driver/memory/page_diff.hpp"

namespace testbed::driver {
namespace {

constexpr size_t kNamed = 256;  // stray ranges in a report
constexpr size_t kShown = 64;   // octets of each
constexpr size_t kDescriptorsShown = 16;

// Tells `found` what of `ranges` lies in `set` and returns the rest.
template <typename Found>
std::vector<ByteRange> split_by(const std::vector<ByteRange>& ranges, const ByteRanges& set,
                                const Found& found) {
  std::vector<ByteRange> rest;
  for (ByteRange range : ranges) {
    while (range.length > 0) {
      bool inside = false;
      const ByteRange piece = set.leading(range, inside);
      if (inside)
        found(piece);
      else
        rest.push_back(piece);
      range = {range.address + piece.length, range.length - piece.length};
    }
  }
  return rest;
}

// Counts what of `ranges` lies in `set` and returns the rest.
std::vector<ByteRange> take_out(const std::vector<ByteRange>& ranges, const ByteRanges& set,
                                uint64_t& inside_octets) {
  return split_by(ranges, set, [&](const ByteRange& piece) { inside_octets += piece.length; });
}

// Where a log has these octets: those of a ring whose log address is another than its own lie there.
// ("SET_VRING_ADDR", flag 0; of a packed ring the descriptors are meant, which is where it marks them used.)
std::vector<ByteRange> as_logged(std::vector<ByteRange> written, NetDevice& device) {
  ByteRanges moved;
  for (size_t i = 0; i < device.vrings(); ++i) {
    const Ring* ring = device.vring(i).ring();
    if (!ring || !ring->place().log) continue;
    const RingSizes sizes = ring_sizes(ring->options());
    const bool packed = ring->options().packed;
    const uint64_t from = packed ? ring->place().descriptors : ring->place().used;
    ByteRanges area;
    area.add(from, packed ? sizes.descriptors : sizes.used);
    written = split_by(written, area, [&](const ByteRange& piece) {
      moved.add(piece.address - from + ring->place().log, piece.length);
    });
  }
  for (const ByteRange& range : moved.all()) written.push_back(range);
  return written;
}

}  // namespace

PageVerdict judge_pages(NetDevice& device) {
  ByteRanges returned, posted, rings, written;
  for (size_t i = 0; i < device.vrings(); ++i) {
    const Vring& vring = device.vring(i);
    if (!vring.ring()) continue;
    vring.add_returned(returned);
    vring.add_written(written);
    vring.add_posted(posted);
    for (const ByteRange& area : vring.ring()->device_areas()) rings.add(area.address, area.length);
  }
  PageVerdict verdict;
  const auto changed = changed_bytes(device.memory());
  verdict.dirty = pages_of(changed);
  for (const ByteRange& range : changed) written.add(range.address, range.length);
  verdict.written = pages_of(as_logged(written.all(), device));
  for (const ByteRange& range : changed) verdict.changed += range.length;
  auto rest = take_out(changed, returned, verdict.returned);
  rest = take_out(rest, rings, verdict.rings);
  verdict.stray = take_out(rest, posted, verdict.posted);
  return verdict;
}

nlohmann::json to_json(const PageVerdict& verdict, const GuestMemory& memory) {
  nlohmann::json stray = nlohmann::json::array();
  for (size_t i = 0; i < std::min(verdict.stray.size(), kNamed); ++i) {
    const ByteRange& range = verdict.stray[i];
    const uint64_t shown = std::min<uint64_t>(range.length, kShown);
    stray.push_back({{"gpa", range.address},
                     {"length", range.length},
                     {"page", range.address / kPage},
                     {"before", to_hex_bytes(memory.before(range.address, shown), shown)},
                     {"now", to_hex_bytes(memory.at(range.address, shown), shown)}});
  }
  return {{"changed", verdict.changed}, {"returned", verdict.returned},
          {"posted", verdict.posted},   {"rings", verdict.rings},
          {"stray", std::move(stray)},  {"stray_ranges", verdict.stray.size()},
          {"pages", verdict.dirty},     {"written", verdict.written}};
}

nlohmann::json last_chains(NetDevice& device) {
  nlohmann::json chains = nlohmann::json::array();
  for (size_t i = 0; i < device.vrings(); ++i) {
    const Vring& vring = device.vring(i);
    const auto& slots = vring.layout().slots;
    for (const RawPost& post : vring.last_raw()) {
      nlohmann::json descriptors = nlohmann::json::array();
      for (size_t d = 0; d < std::min(post.descriptors.size(), kDescriptorsShown); ++d)
        descriptors.push_back({{"addr", post.descriptors[d].address},
                               {"len", post.descriptors[d].length},
                               {"flags", post.descriptors[d].flags}});
      chains.push_back({{"vring", i}, {"token", post.token}, {"posted", std::move(descriptors)}});
    }
    for (const UsedChain& used : vring.last_returned()) {
      nlohmann::json chain = {{"vring", i}, {"token", used.token}, {"returned", used.length}};
      if (!used.raw && used.token < slots.size()) chain["addr"] = slots[used.token];
      chains.push_back(std::move(chain));
    }
  }
  return chains;
}

}  // namespace testbed::driver
