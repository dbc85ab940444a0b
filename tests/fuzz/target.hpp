// What every file of a target has: the function that libFuzzer calls, and a way to say that something is
// wrong. A target is one such file, one line in CMakeLists.txt and a directory of inputs, corpus/NAME.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fuzz/input.hpp"

// 0: the input was tried. A finding ends the process.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace testbed::fuzz {

inline void expect(bool holds, const std::string& claim) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", claim.c_str());
  std::abort();
}

}  // namespace testbed::fuzz
