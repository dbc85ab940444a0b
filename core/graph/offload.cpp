#include "core/graph/offload.hpp"

#include <algorithm>
#include <cstring>

#include "core/graph/keep.hpp"

namespace testbed {
namespace {

constexpr uint32_t kVlanTag = 4;
constexpr uint16_t kTypeVlan = 0x8100, kTypeProvider = 0x88a8, kTypeIpv4 = 0x0800, kTypeIpv6 = 0x86dd;
constexpr uint32_t kIpv6Header = 40, kTcpHeader = 20;
constexpr uint8_t kProtocolTcp = 6;
constexpr uint8_t kTcpFin = 0x01, kTcpPush = 0x08, kTcpCwr = 0x80;

uint16_t get16(const std::byte* at) {
  return static_cast<uint16_t>(std::to_integer<uint16_t>(at[0]) << 8 | std::to_integer<uint16_t>(at[1]));
}
void put16(std::byte* at, uint32_t value) {
  at[0] = static_cast<std::byte>(value >> 8);
  at[1] = static_cast<std::byte>(value);
}
uint32_t get32(const std::byte* at) {
  return static_cast<uint32_t>(get16(at)) << 16 | get16(at + 2);
}
void put32(std::byte* at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value & 0xffff);
}

// The sum of 16-bit words, not folded; an odd octet at the end counts as the upper half of one.
uint64_t sum(const std::byte* at, size_t length) {
  uint64_t total = 0;
  for (; length > 1; at += 2, length -= 2) total += get16(at);
  return length == 1 ? total + (std::to_integer<uint64_t>(at[0]) << 8) : total;
}
uint16_t folded(uint64_t total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return static_cast<uint16_t>(total);
}
// As it is stored. 0 would mean "none" in UDP, and its twin says the same (RFC 768).
uint16_t complement(uint64_t total) {
  const auto value = static_cast<uint16_t>(~folded(total));
  return value == 0 ? uint16_t{0xffff} : value;
}

uint64_t sum_from(const Packet& packet, uint32_t offset) {
  std::array<std::byte, 2048> chunk;  // even, so that words stay words
  uint64_t total = 0;
  while (offset < packet.length) {
    const auto here = std::min<uint32_t>(packet.length - offset, chunk.size());
    read_frame(packet, offset, chunk.data(), here);
    total += sum(chunk.data(), here);
    offset += here;
  }
  return total;
}

}  // namespace

bool finish_checksum(Packet& packet) {
  const Unfinished& todo = packet.unfinished;
  const uint32_t field = todo.from + todo.at;
  if (todo.from < kEthernetHeader || field + 2 > packet.head_length) return false;
  put16(packet.head + field, complement(sum_from(packet, todo.from)));
  packet.flags &= static_cast<uint8_t>(~kUnfinished);
  packet.unfinished = {};
  return true;
}

Segmenter::Segmenter() : room_(std::make_unique_for_overwrite<std::byte[]>(kRoom)) {
}

bool Segmenter::begin(const Packet& packet) {
  packet_ = &packet;
  done_ = frames_ = 0;
  return parse(packet);
}

// Where its headers lie, and that they are what the sender says.
bool Segmenter::parse(const Packet& packet) {
  const std::byte* head = packet.head;
  const Unfinished& todo = packet.unfinished;
  network_ = kEthernetHeader;
  if (packet.head_length < kEthernetHeader + 2 * kVlanTag) return false;
  for (int tags = 0; tags < 2; ++tags)
    if (const uint16_t type = get16(head + network_ - 2); type == kTypeVlan || type == kTypeProvider)
      network_ += kVlanTag;
  const bool v4 = todo.cut == Unfinished::Cut::tcp4;
  if (get16(head + network_ - 2) != (v4 ? kTypeIpv4 : kTypeIpv6)) return false;
  const uint32_t least = v4 ? 20 : kIpv6Header;
  if (todo.from < network_ + least || todo.from + kTcpHeader > packet.head_length) return false;
  if (std::to_integer<uint8_t>(head[network_]) >> 4 != (v4 ? 4 : 6)) return false;
  if (v4 && network_ + (std::to_integer<uint32_t>(head[network_]) & 15) * 4 != todo.from) return false;
  if (v4 && std::to_integer<uint8_t>(head[network_ + 9]) != kProtocolTcp) return false;
  headers_ = todo.from + (std::to_integer<uint32_t>(head[todo.from + 12]) >> 4) * 4;
  return todo.at == 16 && todo.segment > 0 && headers_ >= todo.from + kTcpHeader && headers_ <= packet.head_length &&
         headers_ < packet.length && headers_ + todo.segment <= kRoom;
}

uint16_t Segmenter::next(std::array<Packet*, kBurst>& frames) {
  uint16_t count = 0;
  std::byte* at = room_.get();
  const uint32_t segment = packet_->unfinished.segment;
  const uint32_t total = packet_->length - headers_;
  while (count < kBurst && done_ < total) {
    const uint32_t payload = std::min(segment, total - done_);
    if (at + headers_ + payload > room_.get() + kRoom) break;
    make(at, payload, done_ + payload == total);
    packets_[count] = {.head = at,
                       .payload = at,
                       .length = headers_ + payload,
                       .head_length = static_cast<uint16_t>(std::min<uint32_t>(headers_ + payload, kHeadBytes)),
                       .kind = PayloadKind::memory,
                       .flags = 0};
    frames[count] = &packets_[count];
    ++count;
    at += headers_ + payload;
  }
  return count;
}

void Segmenter::make(std::byte* frame, uint32_t payload, bool last) {
  const Unfinished& todo = packet_->unfinished;
  std::memcpy(frame, packet_->head, headers_);
  read_frame(*packet_, headers_ + done_, frame + headers_, payload);
  std::byte* const ip = frame + network_;
  std::byte* const tcp = frame + todo.from;
  const uint32_t transport = headers_ - todo.from + payload;
  uint64_t pseudo = kProtocolTcp + transport;
  if (todo.cut == Unfinished::Cut::tcp4) {
    put16(ip + 2, todo.from - network_ + transport);
    put16(ip + 4, get16(ip + 4) + frames_);
    put16(ip + 10, 0);
    put16(ip + 10, static_cast<uint16_t>(~folded(sum(ip, todo.from - network_))));
    pseudo += sum(ip + 12, 8);
  } else {
    put16(ip + 4, todo.from - network_ - kIpv6Header + transport);
    pseudo += sum(ip + 8, 32);
  }
  put32(tcp + 4, get32(tcp + 4) + done_);
  auto flags = std::to_integer<uint8_t>(tcp[13]);
  if (!last) flags &= static_cast<uint8_t>(~(kTcpFin | kTcpPush));
  if (frames_ > 0) flags &= static_cast<uint8_t>(~kTcpCwr);
  tcp[13] = static_cast<std::byte>(flags);
  put16(tcp + 16, 0);
  put16(tcp + 16, complement(pseudo + sum(tcp, transport)));
  done_ += payload;
  ++frames_;
}

}  // namespace testbed
