#include "emu/driver/net/net_layout.hpp"

#include <algorithm>

#include "emu/driver/memory/arena.hpp"
#include "emu/driver/ring/ring.hpp"
#include "vdev/wire/virtio_net.hpp"

namespace testbed::driver {
namespace {

constexpr uint64_t kLine = 64;
// Nobody's octets behind every buffer, so that a write past its end hits no other buffer and is seen.
constexpr uint64_t kGuard = 64;

uint64_t round_up(uint64_t value, uint64_t to) {
  return (value + to - 1) / to * to;
}

uint32_t slot_size(const NetSpec& spec, bool receive) {
  return receive ? spec.rx_buffer
                 : spec.max_frame + static_cast<uint32_t>(sizeof(wire::VirtioNetHeaderMergeable));
}

uint64_t table_bytes(const NetSpec& spec, bool receive) {
  return 16ull * spec.size * ((receive ? spec.rx_cut : spec.tx_cut).size() + 1);
}

// Both formats fit: what is negotiated is known only later, and may change from session to session.
RingSizes part_sizes(const NetSpec& spec) {
  const RingSizes split = ring_sizes({.size = spec.size});
  return {split.descriptors, std::max<uint64_t>(split.available, 4), std::max<uint64_t>(split.used, 4)};
}

class Placer {
 public:
  Placer(const NetSpec& spec, const std::vector<Region>& regions) : spec_(spec), arena_(regions) {}

  NetLayout place() {
    NetLayout layout;
    // Guest address 0 stays free for scripts: librte_vhost takes a log address of 0 for none and gives the
    // ring up.
    take(kPage, kPage, 0);
    for (uint16_t i = 0; i < 2 * spec_.queues; ++i) layout.vrings.push_back(place_vring(i));
    layout.scratch = take(spec_.scratch, kPage, 0);
    layout.scratch_size = spec_.scratch;
    return layout;
  }
  bool fits() const { return fits_; }

 private:
  uint64_t take(uint64_t size, uint64_t align, size_t region) {
    const auto at = arena_.take(size, align, region);
    fits_ = fits_ && at.has_value();
    return at.value_or(0);
  }

  VringLayout place_vring(uint16_t index) {
    const bool receive = index % 2 == 0;
    const auto told = spec_.places.find(index);
    VringLayout vring;
    if (told != spec_.places.end()) vring.ring = told->second;
    const RingSizes sizes = part_sizes(spec_);
    // The used ring on pages of its own: whoever writes beside it is seen, and the log tells it from the
    // rest.
    if (!vring.ring.descriptors) vring.ring.descriptors = take(sizes.descriptors, kPage, 0);
    if (!vring.ring.available) vring.ring.available = take(sizes.available, kLine, 0);
    if (!vring.ring.used) vring.ring.used = take(round_up(sizes.used, kPage), kPage, 0);
    vring.ring.tables = take(table_bytes(spec_, receive), kLine, 0);
    vring.slot_size = slot_size(spec_, receive);
    for (size_t i = 0; i < spec_.size; ++i)  // spread over all regions
      vring.slots.push_back(take(spec_.buffer_offset + vring.slot_size + kGuard, kLine, i) +
                            spec_.buffer_offset);
    return vring;
  }

  const NetSpec& spec_;
  Arena arena_;
  bool fits_ = true;
};

}  // namespace

std::vector<ByteRange> rings_of(const NetLayout& layout, const NetSpec& spec) {
  const RingSizes sizes = part_sizes(spec);
  std::vector<ByteRange> areas;
  for (const VringLayout& vring : layout.vrings) {
    areas.push_back({vring.ring.descriptors, sizes.descriptors});
    areas.push_back({vring.ring.available, sizes.available});
    areas.push_back({vring.ring.used, sizes.used});
  }
  return areas;
}

std::vector<ByteRange> areas_of(const NetLayout& layout, const NetSpec& spec) {
  std::vector<ByteRange> areas = rings_of(layout, spec);
  areas.push_back({layout.scratch, layout.scratch_size});
  for (size_t i = 0; i < layout.vrings.size(); ++i) {
    const VringLayout& vring = layout.vrings[i];
    areas.push_back({vring.ring.tables, table_bytes(spec, i % 2 == 0)});
    for (const uint64_t slot : vring.slots) areas.push_back({slot, vring.slot_size});
  }
  return areas;
}

uint64_t memory_needed(const NetSpec& spec) {
  const RingSizes sizes = part_sizes(spec);
  uint64_t pair = 0;
  for (const bool receive : {true, false}) {
    pair +=
        round_up(sizes.descriptors, kPage) + round_up(sizes.available, kPage) + round_up(sizes.used, kPage);
    pair += round_up(table_bytes(spec, receive), kPage) + kPage;
    pair += round_up(spec.buffer_offset + slot_size(spec, receive) + kGuard, kLine) * spec.size;
  }
  return round_up(pair * spec.queues + round_up(spec.scratch, kPage) + 2 * kPage, 2u << 20);
}

Result<NetLayout> lay_out(const NetSpec& spec, const std::vector<Region>& regions) {
  Placer placer(spec, regions);
  NetLayout layout = placer.place();
  if (!placer.fits())
    return fail(Errc::invalid_argument, "the memory is too small for these rings and buffers: about " +
                                            std::to_string(memory_needed(spec)) + " octets are needed");
  return layout;
}

}  // namespace testbed::driver
