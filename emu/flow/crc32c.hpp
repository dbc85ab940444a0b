// CRC-32C (Castagnoli, RFC 3720 appendix B.4): reflected polynomial 0x82f63b78, initial value and final XOR
// all ones.
#pragma once

#include <cstddef>
#include <cstdint>

namespace testbed::flow {

// The checksum of `length` octets after a message whose checksum is `before` (0 for none). Uses the CPU's
// instruction (SSE4.2) where there is one.
uint32_t crc32c(const void* data, size_t length, uint32_t before = 0);

// The table-driven implementation, whatever the CPU has.
uint32_t crc32c_table(const void* data, size_t length, uint32_t before = 0);

}  // namespace testbed::flow
