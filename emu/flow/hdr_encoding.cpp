#include "emu/flow/hdr_encoding.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

namespace testbed::flow {

namespace {

// 0x10 in the low byte marks the second version's numbers of variable length.
constexpr uint32_t kCookie = 0x1c849303 | 0x10, kCompressedCookie = 0x1c849304 | 0x10;

void put(std::string& out, uint64_t value, int octets) {
  for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

void put_zigzag(std::string& out, int64_t number) {
  uint64_t value = static_cast<uint64_t>(number) << 1 ^ static_cast<uint64_t>(number >> 63);
  for (int i = 0; i < 8 && value >= 0x80; ++i, value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);  // the ninth octet has eight bits
}

std::string put_counts(std::span<const uint64_t> counts) {
  std::string out;
  int64_t empty = 0;
  for (const uint64_t count : counts) {
    if (count == 0) {
      ++empty;
      continue;
    }
    if (empty == 1) put_zigzag(out, 0);
    if (empty > 1) put_zigzag(out, -empty);
    empty = 0;
    put_zigzag(out, static_cast<int64_t>(count));
  }
  return out;
}

uint32_t adler32(std::string_view data) {
  uint32_t a = 1, b = 0;
  for (const char c : data) {
    a = (a + static_cast<uint8_t>(c)) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

std::string zlib_stored(std::string_view data) {
  constexpr size_t kBlock = 65535;
  std::string out = "\x78\x01";
  size_t at = 0;
  do {
    const auto length = static_cast<uint16_t>(std::min(kBlock, data.size() - at));
    const bool last = at + length == data.size();
    const auto inverse = static_cast<uint16_t>(~length);
    for (const unsigned octet :
         {last ? 1u : 0u, length & 0xffu, unsigned{length} >> 8, inverse & 0xffu, unsigned{inverse} >> 8})
      out += static_cast<char>(octet);
    out += data.substr(at, length);
    at += length;
  } while (at < data.size());
  put(out, adler32(data), 4);
  return out;
}

std::string base64(std::string_view data) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < data.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < data.size() ? static_cast<uint8_t>(data[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k <= data.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace

std::string encode_hdr_v2(std::span<const uint64_t> counts, int digits, uint64_t lowest, uint64_t highest) {
  const std::string numbers = put_counts(counts);
  std::string plain;
  put(plain, kCookie, 4);
  put(plain, numbers.size(), 4);
  put(plain, 0, 4);
  put(plain, static_cast<uint64_t>(digits), 4);
  put(plain, lowest, 8);
  put(plain, highest, 8);
  put(plain, std::bit_cast<uint64_t>(1.0), 8);
  plain += numbers;
  const std::string packed = zlib_stored(plain);
  std::string out;
  put(out, kCompressedCookie, 4);
  put(out, packed.size(), 4);
  return base64(out + packed);
}

}  // namespace testbed::flow
