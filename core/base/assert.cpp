#include "core/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace testbed {

void assert_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace testbed
