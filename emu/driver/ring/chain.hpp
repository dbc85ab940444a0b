// What goes into a virtqueue and what comes back, in both ring formats.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace testbed::driver {

// A piece of a chain: guest memory the device may read, or write.
struct Segment {
  uint64_t gpa = 0;
  uint32_t length = 0;
  bool write = false;
};

// A chain the device gave back.
struct UsedChain {
  uint16_t token = 0;
  uint32_t length = 0;  // octets the device says it wrote
  bool raw = false;     // it was posted with post_raw()
};

// A descriptor nobody checks. `flags` are virtio's (1 next, 2 write, 4 indirect).
struct RawDescriptor {
  uint64_t address = 0;
  uint32_t length = 0;
  uint16_t flags = 0;
  std::optional<uint16_t> next;  // split: another one than the chain's next descriptor
  std::optional<uint16_t> id;    // packed: another one than the chain's
};

// What else can be wrong about a chain.
struct RawOptions {
  std::optional<uint16_t> head;         // split: written to the available ring instead of the chain's head
  std::optional<uint16_t> avail_index;  // split: the index that is then published
  bool exact_flags = false;  // packed: AVAIL and USED are as in `flags`, not as the ring position demands
  bool publish = true;
};

// Guest-physical addresses of a ring's parts. Packed: `available` is the driver's event suppression area,
// `used` the device's.
struct RingPlace {
  uint64_t descriptors = 0, available = 0, used = 0;
  uint64_t tables = 0;  // indirect tables, one per token; 0: none
  uint64_t log = 0;     // where writes to the used ring are logged; 0: where they happen
};

struct RingOptions {
  uint16_t size = 256;
  bool packed = false;
  bool indirect = false;  // every chain of more than one segment goes through a table
  bool event_idx = false;
  bool in_order = false;
  uint16_t table_length = 1;  // segments a table holds
  uint16_t first =
      0;  // split: the first index; packed: slot, and wrap counter in bit 15 (wire::kPositionStart)
};

// What a device did that no device may do.
struct RingFaults {
  uint64_t unknown_id = 0;   // returned a chain that was not outstanding: never posted, or returned before
  uint64_t overrun = 0;      // returned more chains than were outstanding
  uint64_t long_length = 0;  // says it wrote more than the chain could take
  bool operator==(const RingFaults&) const = default;
};

}  // namespace testbed::driver
