// Time. Every stamp in an event, a report or a probe packet is CLOCK_MONOTONIC in nanoseconds, so that the
// histories of several processes on one machine merge by comparing numbers.
#pragma once

#include <cstdint>
#include <ctime>

namespace testbed {

inline uint64_t now_ns() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(ts.tv_nsec);
}

}  // namespace testbed
