// Moving cache lines. Copying a few to a few thousand octets between guests. Inlined, in 16-octet moves that the last one lets overlap: no
// octet outside [0, length) is touched, and short copies take no loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace testbed::ring {

// Asks for a line that will be written. Not the compiler's builtin: that reads where the baseline lacks the instruction,
// and all CPUs of the last ten years have it or pass over it.
inline void prefetch_write(const std::byte* at) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*at));
#else
  __builtin_prefetch(at, 1);
#endif
}

template <size_t N>
inline void copy_block(std::byte* to, const std::byte* from) {
  struct Block {
    std::byte octets[N];
  } block;
  std::memcpy(&block, from, N);
  std::memcpy(to, &block, N);
}

template <size_t N>
inline void copy_ends(std::byte* to, const std::byte* from, size_t length) {
  copy_block<N>(to, from);
  copy_block<N>(to + length - N, from + length - N);
}

// The same with the widest moves this CPU has; `length` is at least 64.
void copy_long(std::byte* to, const std::byte* from, size_t length);
inline constexpr size_t kLong = 256;

inline void copy_octets(std::byte* to, const std::byte* from, size_t length) {
  if (length > 64) {
    if (length >= kLong) return copy_long(to, from, length);
    const size_t last = length - 64;
    for (size_t at = 0; at < last; at += 64) copy_block<64>(to + at, from + at);
    return copy_block<64>(to + last, from + last);
  }
  if (length >= 32) return copy_ends<32>(to, from, length);
  if (length >= 16) return copy_ends<16>(to, from, length);
  if (length >= 8) return copy_ends<8>(to, from, length);
  if (length >= 4) return copy_ends<4>(to, from, length);
  if (length >= 2) return copy_ends<2>(to, from, length);
  if (length == 1) *to = *from;
}

}  // namespace testbed::ring
