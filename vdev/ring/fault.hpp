// What a driver may do wrong in its rings. The names are what events and `ports` say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace testbed::ring {

enum class Fault : uint8_t {
  none,
  // -- Of one buffer, which is given back unused; the ring goes on.
  address,    // a part of it lies in no region of guest memory
  direction,  // of a transmit queue and writable, or of a receive queue and not
  indirect,   // an indirect table within another, with a next, empty, torn, or not negotiated
  chain,      // its next leads out of the table, or round in a circle, or it has too many parts
  length,     // longer than any frame, or too short for a packet's header to be written
  offload,    // its virtio header asks for what was not negotiated, or of what is not there
  // -- Of the ring, which stops: nothing tells where the next buffer is.
  index,    // the driver's index is further ahead than the ring has entries
  head,     // an entry of the available ring names no descriptor
  endless,  // packed: a chain without an end
  count_,   // not a fault
};

inline constexpr size_t kFaults = static_cast<size_t>(Fault::count_);
inline constexpr std::array<std::string_view, kFaults> kFaultNames = {
    "none", "address", "direction", "indirect", "chain", "length", "offload", "index", "head", "endless"};

constexpr std::string_view to_string(Fault fault) {
  return kFaultNames[static_cast<size_t>(fault)];
}
constexpr bool stops_the_ring(Fault fault) {
  return fault >= Fault::index;
}

}  // namespace testbed::ring
