// Buffers that a driver may offer and no device can follow, and what each is called.
#pragma once

#include <ostream>
#include <vector>

#include "guest.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::ring::test {

inline constexpr uint64_t kNowhere = 0x999000000000;
inline constexpr uint64_t kTable =
    Guest::kData + Guest::kDataRegion;  // where tables are put, in a region of their own
inline constexpr uint64_t kEnd = Guest::kData + Guest::kDataSize;
inline constexpr uint16_t kSize = 16;

enum class Only : uint8_t { any, split, packed, transmit, receive };

struct Wrong {
  const char* name;
  Fault fault;
  std::vector<driver::RawDescriptor> chain;  // WRITE is turned round for a receive queue
  std::vector<wire::SplitDesc> table = {};   // at kTable
  uint32_t empty_entries = 0;                // or so many empty ones
  bool indirect = true;                      // negotiated
  Only only = Only::any;
  friend std::ostream& operator<<(std::ostream& out, const Wrong& w) { return out << w.name; }
};

inline const Wrong kWrong[] = {
    {"nowhere", Fault::address, {{kNowhere, 100, 0}}},
    {"beyond the end", Fault::address, {{kEnd - 50, 100, 0}}},
    {"around the address space", Fault::address, {{~uint64_t{0} - 10, 100, 0}}},
    {"second part nowhere", Fault::address, {{Guest::kData, 100, 0}, {kNowhere, 100, 0}}},
    {"one octet too far", Fault::address, {{kEnd - 99, 100, 0}}},
    {"as long as can be", Fault::address, {{Guest::kData, 0xffffffff, 0}}},
    {"other direction", Fault::direction, {{Guest::kData, 100, wire::kDescWrite}}},
    {"second part of the other direction",
     Fault::direction,
     {{Guest::kData, 100, 0}, {Guest::kData, 9, wire::kDescWrite}}},
    {"table not negotiated",
     Fault::indirect,
     {{kTable, 16, wire::kDescIndirect}},
     {{Guest::kData, 90, 0, 0}},
     0,
     false},
    {"empty table", Fault::indirect, {{kTable, 0, wire::kDescIndirect}}},
    {"torn table", Fault::indirect, {{kTable, 17, wire::kDescIndirect}}, {{Guest::kData, 90, 0, 0}}},
    {"table and next",
     Fault::indirect,
     {{kTable, 16, wire::kDescIndirect}, {Guest::kData, 90, 0}},
     {{Guest::kData, 9, 0, 0}}},
    {"table after a part",
     Fault::indirect,
     {{Guest::kData, 90, 0}, {kTable, 16, wire::kDescIndirect}},
     {},
     0,
     true,
     Only::packed},
    {"table in a table after a part",
     Fault::indirect,
     {{Guest::kData, 90, 0}, {kTable, 16, wire::kDescIndirect}},
     {{kTable, 16, wire::kDescIndirect, 0}}},
    {"table after a part, and next",
     Fault::indirect,
     {{Guest::kData, 90, 0}, {kTable, 16, wire::kDescIndirect}, {Guest::kData, 9, 0}},
     {{Guest::kData, 9, 0, 0}}},
    {"table that wraps around the address space",
     Fault::address,
     {{~uint64_t{0} - 15, 32, wire::kDescIndirect}}},
    {"table in a table",
     Fault::indirect,
     {{kTable, 16, wire::kDescIndirect}},
     {{kTable, 16, wire::kDescIndirect, 0}}},
    {"table nowhere", Fault::address, {{kNowhere, 32, wire::kDescIndirect}}},
    {"table beyond the end", Fault::address, {{kEnd - 16, 32, wire::kDescIndirect}}},
    {"long table of nothing", Fault::chain, {{kTable, 16 * 2000, wire::kDescIndirect}}, {}, 2000},
    {"next beyond the ring",
     Fault::chain,
     {{Guest::kData, 90, wire::kDescNext, kSize}},
     {},
     0,
     true,
     Only::split},
    {"circle",
     Fault::chain,
     {{Guest::kData, 90, wire::kDescNext, 1}, {Guest::kData, 9, wire::kDescNext, 0}},
     {},
     0,
     true,
     Only::split},
    {"circle without an octet",
     Fault::chain,
     {{Guest::kData, 0, wire::kDescNext, 1}, {Guest::kData, 0, wire::kDescNext, 0}},
     {},
     0,
     true,
     Only::split},
    {"next beyond the table",
     Fault::chain,
     {{kTable, 16, wire::kDescIndirect}},
     {{Guest::kData, 90, wire::kDescNext, 1}},
     0,
     true,
     Only::split},
    {"too long", Fault::length, {{Guest::kData, 66000, 0}}, {}, 0, true, Only::transmit},
    {"too short for a header", Fault::length, {{Guest::kData, 11, 0}}, {}, 0, true, Only::receive},
    {"empty", Fault::length, {{Guest::kData, 0, 0}}, {}, 0, true, Only::receive},
};

inline bool applies(const Wrong& wrong, bool packed, bool receive) {
  switch (wrong.only) {
    case Only::any:
      return true;
    case Only::split:
      return !packed;
    case Only::packed:
      return packed;
    case Only::transmit:
      return !receive;
    case Only::receive:
      return receive;
  }
  return false;
}

}  // namespace testbed::ring::test
