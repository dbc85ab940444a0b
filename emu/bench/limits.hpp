// What this machine allows two CPUs that hand memory to each other, in TSC cycles: the floor under any switch
// between guests on other CPUs. Measured with what moves between a switch and its guests and nothing else: no
// ring, no header, no branch on data.
//
// Every figure is a median over many rounds: a round in which one of the two threads was scheduled away is
// one outlier.
#pragma once

#include <chrono>
#include <cstdint>

namespace testbed::bench {

// The CPU whose cost is measured, and the one at the other end.
struct Cpus {
  int here = 0;
  int there = 1;
};

// Both threads are pinned; throws std::runtime_error when a CPU cannot be had. `budget`: about how long it
// takes.

// A modified cache line to go to the other CPU: half a round trip.
double ping_pong_cycles(Cpus cpus, std::chrono::milliseconds budget);

struct Copies {
  double local;  // from here to here
  double fetch;  // from lines that the other CPU has just written, to here
  double claim;  // from here, to lines that the other CPU has just written
};
// A frame of `octets`, in each of the three ways; independent frames in a row, so that misses overlap as they
// do in a burst.
Copies copy_cycles(Cpus cpus, uint32_t octets, std::chrono::milliseconds budget);

// TSC cycles a second, against CLOCK_MONOTONIC.
double tsc_hz(std::chrono::milliseconds budget);

}  // namespace testbed::bench
