// Asserts for our own bugs. They stay on in release builds, and no peer, guest, file or flag may reach one.
#pragma once

namespace testbed {

[[noreturn]] void assert_failed(const char* expression, const char* file, int line);

}  // namespace testbed

#define TB_ASSERT(expression)                                    \
  do {                                                           \
    if (!(expression)) [[unlikely]]                              \
      ::testbed::assert_failed(#expression, __FILE__, __LINE__); \
  } while (false)
