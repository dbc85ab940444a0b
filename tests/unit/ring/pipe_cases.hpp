// Every kind of ring that frames are sent through.
#pragma once

#include <ostream>
#include <vector>

#include "emu/driver/ring/ring.hpp"

namespace testbed::ring::test {

struct PipeCase {
  driver::RingOptions ring;
  bool mergeable = false;
  uint16_t header = 12;
  bool logged = false;
  friend std::ostream& operator<<(std::ostream& out, const PipeCase& c) {
    return out << (c.ring.packed ? "packed " : "split ") << c.ring.size << " first " << c.ring.first
               << (c.ring.indirect ? " indirect" : "") << (c.ring.in_order ? " in-order" : "")
               << (c.ring.event_idx ? " event-idx" : "") << (c.mergeable ? " mergeable" : "") << " header "
               << c.header << (c.logged ? " logged" : "");
  }
};

inline constexpr uint16_t kChain = 8;

inline std::vector<PipeCase> pipe_cases() {
  std::vector<PipeCase> all;
  for (unsigned bits = 0; bits < 8; ++bits) {
    const bool indirect = bits & 1, event_idx = bits & 2, mergeable = bits & 4;
    unsigned turn = bits;
    const auto add = [&](uint16_t size, bool packed, uint16_t first) {
      const bool legacy = !packed && !mergeable && turn % 2 == 0;
      all.push_back({{size, packed, indirect, event_idx, turn % 3 == 0, kChain, first},
                     mergeable,
                     uint16_t(legacy ? 10 : 12),
                     turn % 4 == 1});
      ++turn;
    };
    for (const uint16_t size : {1, 2, 4, 32, 256})
      for (const uint16_t first : {0, 65530, 32767}) add(size, false, first);
    for (const uint16_t size : {1, 2, 3, 7, 32, 64, 257})
      for (const uint16_t first : {0x8000, 0, 1, 0x8001, 0x8006})
        if ((first & 0x7fff) < size) add(size, true, first);
  }
  all.push_back({{32768, false, false, true, false, kChain, 40000}, true});
  all.push_back({{32768, true, false, true, false, kChain, 0xffff}, true});
  return all;
}

}  // namespace testbed::ring::test
