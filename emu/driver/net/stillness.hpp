// What a backend may not do any more: to a virtqueue that has stopped (its GET_VRING_BASE was answered),
// nothing at all; to a receive queue that was disabled, nothing that gives a chain back.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "emu/driver/memory/byte_ranges.hpp"
#include "emu/driver/memory/guest_memory.hpp"

namespace testbed::driver {

class Ring;

class Stillness {
 public:
  explicit Stillness(const GuestMemory& memory) : memory_(memory) {}

  // The backend says that it has stopped at `base`.
  void stopped(const Ring& ring, uint32_t base);
  // The backend has confirmed it; before it is told that the queue is enabled again: `on`.
  void enabled(const Ring& ring, bool on);
  // Before the backend is told to start the queue again.
  void restarting(const Ring& ring);
  // The handshake has made the queue run: whatever was, is over.
  void started();

  struct Faults {
    uint64_t wrong_base = 0;   // it would go on elsewhere than behind the last chain it gave back
    uint64_t after_stop = 0;   // octets of used ring, descriptors, event word that changed since it stopped
    uint64_t on_disabled = 0;  // times that it gave chains back although disabled
  };
  Faults faults(const Ring& ring) const;

 private:
  struct Copy {
    ByteRange where;
    std::vector<uint8_t> octets;
  };
  uint64_t changed() const;

  const GuestMemory& memory_;
  Faults past_;
  std::vector<Copy> at_stop_;
  std::optional<uint16_t> disabled_at_;  // position
};

}  // namespace testbed::driver
