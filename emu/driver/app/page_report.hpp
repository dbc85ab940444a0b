// The guest's own pages checker: every octet that changed since the snapshot and was not changed by the
// driver was changed by a backend, and had better lie where the driver let it write.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "emu/driver/memory/byte_ranges.hpp"
#include "emu/driver/net/net_device.hpp"

namespace testbed::driver {

struct PageVerdict {
  uint64_t changed = 0;   // octets
  uint64_t returned = 0;  // in buffers that came back since the snapshot
  uint64_t posted =
      0;  // in buffers the device still has: only a device that is at work, or died at it, does that
  uint64_t rings = 0;            // in used rings, descriptors it marked used, event words
  std::vector<ByteRange> stray;  // everything else
  std::vector<uint64_t> dirty;   // pages with any changed octet, ascending
  // And those with octets the device says it wrote: what a dirty log has to name, no more and no less.
  std::vector<uint64_t> written;
};

// On the data thread.
PageVerdict judge_pages(NetDevice& device);
// At most 256 stray ranges are named, each with what was there before and what is there now.
nlohmann::json to_json(const PageVerdict& verdict, const GuestMemory& memory);
// What came back last on each virtqueue, and what was last posted by hand: where to look when something was
// written astray.
nlohmann::json last_chains(NetDevice& device);

}  // namespace testbed::driver
