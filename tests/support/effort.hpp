// How much of a property is tried that a single thread holds: where ThreadSanitizer looks at every access, it is twenty
// times as slow, and has nothing to find there.
#pragma once

#include <algorithm>
#include <cstdint>

namespace testbed::test {

constexpr uint64_t effort(uint64_t full) {
#ifdef __SANITIZE_THREAD__
  return std::max<uint64_t>(full / 20, 1);
#else
  return full;
#endif
}

}  // namespace testbed::test
