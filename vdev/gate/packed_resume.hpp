// Where a packed ring goes on after its back-end died: a pure function of the descriptor ring and of what was
// remembered.
//
// Why it is needed. A packed ring has no index in shared memory; the position lives in the device. QEMU (7.2
// to 10.0) sends the base of device start on reconnection, librte_vhost believes it, and the queue is dead.
// The descriptors know better:
//
// - AVAIL tells the lap (wrap counter) in which the driver wrote a slot, and the device never changes it in
// passing: the one
//   place on the ring where it flips is where the driver will write next.
// - USED == AVAIL says that the buffer whose first slot this is was given back.
//
// What the descriptors alone do not tell is (a) how long a given-back buffer was: its other slots still look
// available; (b) which buffers an IN_ORDER device covers with one used descriptor; (c) what a burst that was
// cut short had in mind: the library writes lengths and ids of a whole burst before the first flag, and the
// flags of the first slot last. So the datapath keeps an undo log (ring_record.hpp): before a burst it notes
// the words it may overwrite, after it the position. With the log every answer below is exact; without it
// (another back-end served the ring before) doubtful slots are given back unprocessed, which any driver
// accepts: at most a burst is lost, and nothing is ever processed twice.
//
// Rings of our own (vdev/ring) forward a frame from where it lies before they give its buffer back; their log says so
// (claimed), and such a burst is given back whole. Their receive queues publish a burst by its first buffer, whose
// length no other store tells: without it the burst is taken back, and its frames are lost. Either log may be shorter
// than its last buffer, which goes alone then.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "vdev/wire/virtqueue.hpp"

namespace testbed::gate {

// Octets 8..15 of a descriptor, what a device overwrites, as the one 64-bit word in which they are read and
// written.
struct alignas(8) DescWord {
  uint32_t length;
  uint16_t id;
  uint16_t flags;

  friend bool operator==(const DescWord&, const DescWord&) = default;
};
static_assert(sizeof(DescWord) == 8);

// What an undo log says of its burst.
enum class Unfinished : uint8_t {
  in_parts,  // buffers were given back one by one; those that were are done (librte_vhost)
  whole,     // the first buffer is given back last: all of them were, or none (vdev/ring, receive queues)
  claimed,   // what was in the buffers has gone on: they are given back, and not read again (vdev/ring)
};

struct Remembered {
  uint16_t position;  // slot | wrap counter << 15, after the last whole burst
  std::span<const DescWord>
      undo;  // not empty: a burst was under way; the words at `position` and on, before it
  Unfinished unfinished = Unfinished::in_parts;
};

struct RingFacts {
  std::span<const DescWord> ring;  // a copy, one word a slot
  uint16_t base;                   // what the front-end said (SET_VRING_BASE)
  bool device_area_written;  // the device event suppression area is not zero, as every driver leaves it at
                             // first
  bool in_order;             // VIRTIO_F_IN_ORDER was negotiated
  bool device_writes;        // a receive queue of the guest
  std::optional<Remembered> remembered;
};

// Replaces the word at `slot` if it still is `expected` (the driver is alive meanwhile).
struct Edit {
  uint16_t slot;
  DescWord expected;
  DescWord desired;
};

enum class ResumeSource : uint8_t {
  frontend,    // its base was right: a ring never served, or one that was stopped in order
  remembered,  // the undo log
  ring,        // the descriptors alone
};
std::string_view to_string(ResumeSource source);

struct ResumePoint {
  uint16_t position;  // slot | wrap counter << 15
  ResumeSource source;
  std::vector<Edit> commits;   // buffers given back now; in ring order
  std::vector<Edit> restores;  // available descriptors that the dead burst had damaged
};

ResumePoint find_resume_point(const RingFacts& facts);

}  // namespace testbed::gate
