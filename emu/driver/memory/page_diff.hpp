// What changed in guest memory since its snapshot, byte for byte.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emu/driver/memory/byte_ranges.hpp"
#include "emu/driver/memory/guest_memory.hpp"

namespace testbed::driver {

// Every byte, of one region after the other, that is not what the driver left there. Runs are cut at page
// ends. Nothing without a snapshot. Another process may be writing meanwhile: then a byte is reported that
// had changed when it was read.
std::vector<ByteRange> changed_bytes(const GuestMemory& memory);

// Numbers of the pages that hold `ranges`, ascending, each once.
std::vector<uint64_t> pages_of(std::span<const ByteRange> ranges);

}  // namespace testbed::driver
