// A ring and the plainest device on one guest memory.
#pragma once

#include <memory>
#include <ostream>
#include <vector>

#include "emu/driver/memory/state_file.hpp"
#include "emu/driver/ring/ring.hpp"
#include "naive_device.hpp"

namespace testbed::driver {

inline std::ostream& operator<<(std::ostream& out, const RingFaults& faults) {
  return out << "{unknown " << faults.unknown_id << ", overrun " << faults.overrun << ", long "
             << faults.long_length << "}";
}

struct RingFixture {
  explicit RingFixture(const RingOptions& wanted, uint64_t gpa = 0x40000)
      : options(wanted),
        memory(*GuestMemory::open({.regions = {{gpa, 16u << 20, 0}}})),
        place{gpa + 0x1000, gpa + 0x100000, gpa + 0x200000, gpa + 0x300000, gpa + 0x200000},
        state(*map_state("", RingState::bytes(wanted.size))),
        ring(make_ring(memory, place, options, state.base())),
        device(memory, place, options.size, options.packed, options.first) {
    ring->reset();
  }

  // Another driver on the same memory and state, as after a kill.
  bool restart() {
    ring = make_ring(memory, place, options, state.base());
    return ring->recover();
  }

  RingOptions options;
  GuestMemory memory;
  RingPlace place;
  Mapping state;  // shared with a child process, as guest memory is
  std::unique_ptr<Ring> ring;
  NaiveDevice device;
};

}  // namespace testbed::driver
