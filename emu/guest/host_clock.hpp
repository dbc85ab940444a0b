// The clock that flows live by: CLOCK_MONOTONIC of the host, as well as the host could tell this guest. So
// stamps of probes that cross between guests and the host compare, and reports need no translation. Until the
// host told: the guest's own.
#pragma once

#include <cstdint>

#include "core/base/clock.hpp"

namespace testbed::guest {

class HostClock {
 public:
  // Host time minus guest time, ns.
  void set_offset(int64_t offset_ns) { offset_ns_ = offset_ns; }
  int64_t offset_ns() const { return offset_ns_; }

  uint64_t now() const { return from_guest(now_ns()); }
  uint64_t from_guest(uint64_t t) const { return t + static_cast<uint64_t>(offset_ns_); }
  uint64_t to_guest(uint64_t t) const { return t - static_cast<uint64_t>(offset_ns_); }

 private:
  int64_t offset_ns_ = 0;
};

}  // namespace testbed::guest
