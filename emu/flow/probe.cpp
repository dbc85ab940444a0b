#include "emu/flow/probe.hpp"

#include <bit>
#include <cstring>

#include "emu/flow/crc32c.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::flow {

namespace {

enum Offset : size_t {
  kDestination = 0,
  kSource = 6,
  kType = 12,
  kMagic = 14,
  kVersion = 16,
  kKind = 17,
  kRun = 18,
  kEpoch = 22,
  kFlow = 26,
  kStream = 28,
  kAge = 30,
  kSequence = 34,
  kStamp = 42,
  kLength = 50,
  kCrc = 52,
  kPayload = 56,
};
static_assert(kPayload == kProbeHeader);

void put16(uint8_t* at, uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, sizeof value);
}
void put32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}
void put64(uint8_t* at, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof value);
}
uint16_t get16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap16(value);
}
uint32_t get32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}
uint64_t get64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}
static_assert(std::endian::native == std::endian::little);

// Words key, key + step, key + 2 * step...: two instructions for 16 octets, and no two frames alike.
void fill_payload(uint8_t* at, size_t length, uint64_t key) {
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: odd, bits well spread
  for (; length >= 8; at += 8, length -= 8, key += kStep) std::memcpy(at, &key, 8);
  std::memcpy(at, &key, length);
}

uint32_t checksum(const uint8_t* frame, uint32_t length) {
  return crc32c(frame + kPayload, length - kPayload, crc32c(frame, kCrc));
}

}  // namespace

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
uint64_t scramble(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

uint64_t packet_key(uint64_t seed, uint16_t flow, uint16_t stream, uint64_t sequence) {
  return scramble(seed ^ static_cast<uint64_t>(flow) << 48 ^ static_cast<uint64_t>(stream) << 32 ^ sequence);
}

ProbeTemplate::ProbeTemplate(const Probe& probe, uint64_t seed)
    : destination_low_(probe.destination.low()), source_low_(probe.source.low()), seed_(seed) {
  std::memcpy(header_ + kDestination, probe.destination.octets.data(), 6);
  std::memcpy(header_ + kSource, probe.source.octets.data(), 6);
  put16(header_ + kType, kEtherType);
  put16(header_ + kMagic, kProbeMagic);
  header_[kVersion] = kProbeVersion;
  header_[kKind] = static_cast<uint8_t>(probe.kind);
  put32(header_ + kRun, probe.run);
  put32(header_ + kEpoch, probe.epoch);
  put16(header_ + kFlow, probe.flow);
  put16(header_ + kStream, probe.stream);
  put32(header_ + kAge, probe.age_us);
  put64(header_ + kSequence, probe.sequence);
  put64(header_ + kStamp, probe.stamp_ns);
  put16(header_ + kLength, 0);
  put32(header_ + kCrc, 0);
}

void ProbeTemplate::write(uint8_t* frame, uint32_t length, uint16_t stream, uint64_t sequence,
                          uint32_t age_us, uint64_t stamp_ns) const {
  std::memcpy(frame, header_, kProbeHeader);
  put16(frame + kDestination + 4, static_cast<uint16_t>(destination_low_ + stream));
  put16(frame + kSource + 4, static_cast<uint16_t>(source_low_ + stream));
  put16(frame + kStream, stream);
  put32(frame + kAge, age_us);
  put64(frame + kSequence, sequence);
  put64(frame + kStamp, stamp_ns);
  put16(frame + kLength, static_cast<uint16_t>(length));
  fill_payload(frame + kPayload, length - kPayload,
               packet_key(seed_, get16(header_ + kFlow), stream, sequence));
  put32(frame + kCrc, checksum(frame, length));
}

void write_probe(uint8_t* frame, uint32_t length, const Probe& probe, uint64_t seed) {
  // The template counts addresses up by the stream; here they are final.
  Probe base = probe;
  base.destination = probe.destination.plus(static_cast<uint16_t>(-probe.stream));
  base.source = probe.source.plus(static_cast<uint16_t>(-probe.stream));
  ProbeTemplate(base, seed).write(frame, length, probe.stream, probe.sequence, probe.age_us, probe.stamp_ns);
}

Verdict read_probe(const uint8_t* frame, uint32_t length, Probe& probe) {
  if (length < kMagic || get16(frame + kType) != kEtherType) return Verdict::other;
  if (length < kMinFrame) return Verdict::corrupted;
  probe.destination = mac_at(frame + kDestination);
  probe.source = mac_at(frame + kSource);
  probe.kind = static_cast<Kind>(frame[kKind]);
  probe.run = get32(frame + kRun);
  probe.epoch = get32(frame + kEpoch);
  probe.flow = get16(frame + kFlow);
  probe.stream = get16(frame + kStream);
  probe.age_us = get32(frame + kAge);
  probe.sequence = get64(frame + kSequence);
  probe.stamp_ns = get64(frame + kStamp);
  const bool sound = get16(frame + kMagic) == kProbeMagic && frame[kVersion] == kProbeVersion &&
                     get16(frame + kLength) == length && get32(frame + kCrc) == checksum(frame, length);
  return sound ? Verdict::good : Verdict::corrupted;
}

}  // namespace testbed::flow
