// HdrHistogram's V2 compressed encoding, in base64. Written from the format's description: big endian
//
//     0x1c849314, length of what follows
//     zlib stream (RFC 1950) of:
//       0x1c849313, length of the counts in bytes, 0 (index offset), significant digits      int32 each
//       lowest and highest trackable value                                                  int64 each
//       1.0 (value conversion ratio)                                                        double
//       counts by index as ZigZag LEB128 numbers; -n stands for n empty buckets; trailing empty ones are left
//       out
//
// The zlib stream uses stored blocks (RFC 1951, 3.2.4): any inflater reads it, and no library is needed to
// write it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace testbed::flow {

std::string encode_hdr_v2(std::span<const uint64_t> counts, int digits, uint64_t lowest, uint64_t highest);

}  // namespace testbed::flow
