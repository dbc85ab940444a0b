#include "emu/driver/net/stillness.hpp"

#include "emu/driver/ring/ring.hpp"

namespace testbed::driver {

// The back-end processes chains in order and nothing asynchronously: what lies before the base was given
// back. (vhost-user, "GET_VRING_BASE": the next available descriptor; of a packed ring also, in the upper
// half, the next used one, which then is the same.)
void Stillness::stopped(const Ring& ring, uint32_t base) {
  if (static_cast<uint16_t>(base) != ring.resume_position()) ++past_.wrong_base;
  at_stop_.clear();
  for (const ByteRange& area : ring.device_areas()) {
    const uint8_t* from = memory_.at(area.address, area.length);
    at_stop_.push_back({area, std::vector<uint8_t>(from, from + area.length)});
  }
}

void Stillness::enabled(const Ring& ring, bool on) {
  if (!on && !disabled_at_) disabled_at_ = ring.resume_position();
  if (!on) return;
  past_ = faults(ring);
  disabled_at_.reset();
}

void Stillness::restarting(const Ring& ring) {
  past_.after_stop = faults(ring).after_stop;
  at_stop_.clear();
}

void Stillness::started() {
  at_stop_.clear();
  disabled_at_.reset();
}

uint64_t Stillness::changed() const {
  uint64_t count = 0;
  for (const Copy& copy : at_stop_) {
    const uint8_t* now = memory_.at(copy.where.address, copy.where.length);
    for (size_t i = 0; i < copy.octets.size(); ++i) count += now[i] != copy.octets[i];
  }
  return count;
}

Stillness::Faults Stillness::faults(const Ring& ring) const {
  Faults all = past_;
  all.after_stop += changed();
  if (disabled_at_ && ring.resume_position() != *disabled_at_) ++all.on_disabled;
  return all;
}

}  // namespace testbed::driver
