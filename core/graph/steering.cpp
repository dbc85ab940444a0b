#include "core/graph/steering.hpp"

#include <cstring>
#include <optional>

namespace testbed {
namespace {

constexpr uint16_t kIpv4 = 0x0800, kIpv6 = 0x86dd;
constexpr uint16_t kVlan = 0x8100, kServiceVlan = 0x88a8;
constexpr int kMostTags = 2;
constexpr uint32_t kMacs = 12, kTag = 4;
constexpr uint32_t kIpv4Header = 20, kIpv6Header = 40, kPorts = 4;

// The head as numbers in host order of how they lie: only equality matters, but for types and lengths.
template <typename Number>
Number load(const Packet& packet, uint32_t offset) {
  Number number;
  std::memcpy(&number, packet.head + offset, sizeof number);
  return number;
}

uint16_t load_big_endian(const Packet& packet, uint32_t offset) {
  return __builtin_bswap16(load<uint16_t>(packet, offset));
}

// MurmurHash3's finalizer (public domain): every bit of the input reaches every bit of the result.
constexpr uint64_t mix(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
  return x ^ x >> 33;
}

// One end of a flow; of two ends the sum is taken, which does not know which came first.
constexpr uint64_t end_of(uint64_t address, uint16_t port) {
  return mix(address ^ uint64_t{port} << 48);
}

uint32_t finish(uint64_t ends, uint64_t protocol) {
  return static_cast<uint32_t>(mix(ends + protocol) >> 32);
}

struct Transport {
  uint16_t source = 0, destination = 0;
};

// The protocols whose header begins with two ports (RFC 9293, 768, 3828, 4340, 9260).
constexpr bool has_ports(uint8_t protocol) {
  constexpr uint8_t kTcp = 6, kUdp = 17, kDccp = 33, kSctp = 132, kUdpLite = 136;
  return protocol == kTcp || protocol == kUdp || protocol == kDccp || protocol == kSctp ||
         protocol == kUdpLite;
}

Transport ports_at(const Packet& packet, uint8_t protocol, uint32_t offset) {
  if (!has_ports(protocol) || packet.head_length < offset + kPorts) return {};
  return {load<uint16_t>(packet, offset), load<uint16_t>(packet, offset + 2)};
}

// RFC 791, 3.1. nullopt: no header that is whole.
std::optional<uint32_t> hash_ipv4(const Packet& packet, uint32_t at) {
  if (packet.head_length < at + kIpv4Header) return std::nullopt;
  const auto first = load<uint8_t>(packet, at);
  const uint32_t length = (first & 0x0fu) * 4;
  if (first >> 4 != 4 || length < kIpv4Header) return std::nullopt;
  const auto protocol = load<uint8_t>(packet, at + 9);
  constexpr uint16_t kMoreFragments = 0x2000, kFragmentOffset = 0x1fff;
  const bool fragment = (load_big_endian(packet, at + 6) & (kMoreFragments | kFragmentOffset)) != 0;
  const Transport ports = fragment ? Transport{} : ports_at(packet, protocol, at + length);
  return finish(end_of(load<uint32_t>(packet, at + 12), ports.source) +
                    end_of(load<uint32_t>(packet, at + 16), ports.destination),
                protocol);
}

// RFC 8200, 3. Behind extension headers, that of fragments included, ports are not looked for.
std::optional<uint32_t> hash_ipv6(const Packet& packet, uint32_t at) {
  if (packet.head_length < at + kIpv6Header || load<uint8_t>(packet, at) >> 4 != 6) return std::nullopt;
  const auto protocol = load<uint8_t>(packet, at + 6);
  const Transport ports = ports_at(packet, protocol, at + kIpv6Header);
  const auto end = [&](uint32_t address, uint16_t port) {
    return end_of(mix(load<uint64_t>(packet, address)) + load<uint64_t>(packet, address + 8), port);
  };
  return finish(end(at + 8, ports.source) + end(at + 24, ports.destination), protocol);
}

// Not of the type: where it is a length (IEEE 802.3), frames of one flow differ in it.
uint32_t hash_macs(const Packet& packet) {
  constexpr uint64_t kSixOctets = 0xffff'ffff'ffff;
  uint64_t destination = 0, source = 0;
  std::memcpy(&destination, packet.head, 6);
  std::memcpy(&source, packet.head + 6, 6);
  return finish(end_of(destination & kSixOctets, 0) + end_of(source & kSixOctets, 0), 0);
}

}  // namespace

uint32_t flow_hash(const Packet& packet) {
  if (packet.head_length < kEthernetHeader) return 0;
  uint32_t at = kMacs;
  uint16_t type = load_big_endian(packet, at);
  for (int tags = 0; tags < kMostTags && (type == kVlan || type == kServiceVlan); ++tags) {
    if (packet.head_length < at + kTag + sizeof type) break;
    at += kTag;
    type = load_big_endian(packet, at);
  }
  at += sizeof type;
  std::optional<uint32_t> hash;
  if (type == kIpv4) hash = hash_ipv4(packet, at);
  if (type == kIpv6) hash = hash_ipv6(packet, at);
  return hash ? *hash : hash_macs(packet);
}

}  // namespace testbed
