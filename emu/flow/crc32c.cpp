#include "emu/flow/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#endif

namespace testbed::flow {

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;

// kTables[k][v]: what octet v does to the register when k more octets follow it ("slicing by eight").
constexpr auto kTables = [] {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t v = 0; v < 256; ++v) {
    uint32_t crc = v;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ kPolynomial : crc >> 1;
    tables[0][v] = crc;
  }
  for (size_t k = 1; k < 8; ++k)
    for (size_t v = 0; v < 256; ++v)
      tables[k][v] = tables[k - 1][v] >> 8 ^ tables[0][tables[k - 1][v] & 0xff];
  return tables;
}();

uint64_t load64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The register after `length` octets; no inversion at either end.
uint32_t advance_table(uint32_t crc, const uint8_t* at, size_t length) {
  for (; length >= 8; at += 8, length -= 8) {
    uint64_t word = load64(at) ^ crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k, word >>= 8) crc ^= kTables[7 - k][word & 0xff];
  }
  for (; length > 0; ++at, --length) crc = crc >> 8 ^ kTables[0][(crc ^ *at) & 0xff];
  return crc;
}

#if defined(__x86_64__)

// The instruction takes three cycles and one can start every cycle: long runs are done as three lanes side by
// side, and their registers joined by advancing them over the octets of the lanes behind.
constexpr size_t kLane = 128;

// What `kOctets` zero octets do to the register. Linear, so 4 x 256 entries say it all.
class Advance {
 public:
  explicit Advance(size_t octets) {
    std::array<uint32_t, 32> basis;
    for (size_t bit = 0; bit < 32; ++bit) {
      basis[bit] = 1u << bit;
      for (size_t i = 0; i < octets; ++i) basis[bit] = basis[bit] >> 8 ^ kTables[0][basis[bit] & 0xff];
    }
    for (size_t k = 0; k < 4; ++k)
      for (size_t v = 0; v < 256; ++v)
        for (size_t bit = 0; bit < 8; ++bit)
          if (v >> bit & 1) tables_[k][v] ^= basis[8 * k + bit];
  }
  uint32_t operator()(uint32_t crc) const {
    return tables_[0][crc & 0xff] ^ tables_[1][crc >> 8 & 0xff] ^ tables_[2][crc >> 16 & 0xff] ^
           tables_[3][crc >> 24];
  }

 private:
  std::array<std::array<uint32_t, 256>, 4> tables_{};
};

__attribute__((target("sse4.2"))) uint32_t advance_sse42(uint32_t before, const uint8_t* at, size_t length) {
  static const Advance one(kLane), two(2 * kLane);
  uint64_t crc = before;
  for (; length >= 3 * kLane; at += 3 * kLane, length -= 3 * kLane) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < kLane; i += 8) {
      crc = _mm_crc32_u64(crc, load64(at + i));
      second = _mm_crc32_u64(second, load64(at + kLane + i));
      third = _mm_crc32_u64(third, load64(at + 2 * kLane + i));
    }
    crc = two(static_cast<uint32_t>(crc)) ^ one(static_cast<uint32_t>(second)) ^ third;
  }
  for (; length >= 8; at += 8, length -= 8) crc = _mm_crc32_u64(crc, load64(at));
  auto tail = static_cast<uint32_t>(crc);
  for (; length > 0; ++at, --length) tail = _mm_crc32_u8(tail, *at);
  return tail;
}

// QEMU's TCG computes the instruction bit by bit: 23 us for 1500 octets against 4.5 us by table. It names
// itself in the hypervisor leaf.
bool interpreted() {
  unsigned eax = 0, signature[3] = {};
  if (!__get_cpuid(1, &eax, &signature[0], &signature[1], &signature[2]) || !(signature[1] & 1u << 31))
    return false;
  __cpuid(0x40000000, eax, signature[0], signature[1], signature[2]);
  return std::memcmp(signature, "TCGTCGTCGTCG", sizeof signature) == 0;
}

const auto kAdvance = __builtin_cpu_supports("sse4.2") && !interpreted() ? advance_sse42 : advance_table;

#else

constexpr auto kAdvance = advance_table;

#endif

}  // namespace

uint32_t crc32c(const void* data, size_t length, uint32_t before) {
  return ~kAdvance(~before, static_cast<const uint8_t*>(data), length);
}

uint32_t crc32c_table(const void* data, size_t length, uint32_t before) {
  return ~advance_table(~before, static_cast<const uint8_t*>(data), length);
}

}  // namespace testbed::flow
