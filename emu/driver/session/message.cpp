#include "emu/driver/session/message.hpp"

#include <algorithm>
#include <cstring>

#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::driver {

using wire::Request;

namespace {

void append(std::vector<uint8_t>& bytes, const void* from, size_t length) {
  if (length == 0) return;
  const size_t at = bytes.size();
  bytes.resize(at + length);
  std::memcpy(&bytes[at], from, length);
}

template <typename T>
Message with(Request request, const T& payload, int fd = -1) {
  Message message = plain(request);
  append(message.payload, &payload, sizeof payload);
  if (fd >= 0) message.fds = {fd};
  return message;
}

}  // namespace

std::vector<uint8_t> encode(const Message& message) {
  const wire::VhostUserHeader header{message.request, message.flags,
                                     message.size.value_or(static_cast<uint32_t>(message.payload.size()))};
  std::vector<uint8_t> bytes;
  append(bytes, &header, sizeof header);
  append(bytes, message.payload.data(), message.payload.size());
  return bytes;
}

PayloadKind payload_kind(uint32_t request) {
  switch (static_cast<Request>(request)) {
    case Request::SET_FEATURES:
    case Request::SET_PROTOCOL_FEATURES:
    case Request::SEND_RARP:
    case Request::NET_SET_MTU:
    case Request::SET_STATUS:
      return PayloadKind::number;
    case Request::SET_MEM_TABLE:
      return PayloadKind::memory_table;
    case Request::SET_LOG_BASE:
      return PayloadKind::log;
    case Request::SET_VRING_NUM:
    case Request::SET_VRING_BASE:
    case Request::GET_VRING_BASE:
    case Request::SET_VRING_ENABLE:
    case Request::SET_VRING_ENDIAN:
    case Request::VRING_KICK:
      return PayloadKind::vring_state;
    case Request::SET_VRING_ADDR:
      return PayloadKind::vring_address;
    case Request::SET_VRING_KICK:
    case Request::SET_VRING_CALL:
    case Request::SET_VRING_ERR:
      return PayloadKind::vring_file;
    case Request::IOTLB_MSG:
      return PayloadKind::iotlb;
    case Request::GET_CONFIG:
    case Request::SET_CONFIG:
      return PayloadKind::config;
    case Request::GET_INFLIGHT_FD:
    case Request::SET_INFLIGHT_FD:
      return PayloadKind::inflight;
    case Request::ADD_MEM_REG:
    case Request::REM_MEM_REG:
      return PayloadKind::memory_region;
    case Request::SET_DEVICE_STATE_FD:
      return PayloadKind::device_state;
    default:
      return PayloadKind::none;
  }
}

std::optional<uint32_t> request_number(std::string_view name) {
  const auto found = std::ranges::find(wire::kRequestNames, name);
  if (found == wire::kRequestNames.end() || found == wire::kRequestNames.begin()) return std::nullopt;
  return static_cast<uint32_t>(found - wire::kRequestNames.begin());
}

bool answered(uint32_t request, uint64_t protocol_features) {
  switch (static_cast<Request>(request)) {
    case Request::GET_FEATURES:
    case Request::GET_PROTOCOL_FEATURES:
    case Request::GET_VRING_BASE:
    case Request::GET_QUEUE_NUM:
    case Request::GET_CONFIG:
    case Request::CREATE_CRYPTO_SESSION:
    case Request::POSTCOPY_ADVISE:
    case Request::POSTCOPY_END:
    case Request::GET_INFLIGHT_FD:
    case Request::GET_MAX_MEM_SLOTS:
    case Request::GET_STATUS:
    case Request::GET_SHARED_OBJECT:
    case Request::SET_DEVICE_STATE_FD:
    case Request::CHECK_DEVICE_STATE:
      return true;
    case Request::SET_LOG_BASE:
      return protocol_features & bit(wire::ProtocolFeature::LOG_SHMFD);
    default:
      return false;
  }
}

Message plain(Request request) {
  return {.request = static_cast<uint32_t>(request)};
}

Message number(Request request, uint64_t value) {
  return with(request, value);
}

Message vring_state(Request request, uint32_t index, uint32_t num) {
  return with(request, wire::VringState{index, num});
}

Message vring_address(const wire::VringAddr& address) {
  return with(Request::SET_VRING_ADDR, address);
}

Message vring_file(Request request, uint32_t index, int fd) {
  return with(request, index | (fd < 0 ? wire::kVringNoFd : uint64_t{0}), fd);
}

Message memory_table(const std::vector<wire::MemoryRegion>& regions, int fd) {
  Message message = plain(Request::SET_MEM_TABLE);
  const uint64_t head = regions.size();  // 32 bits of count, 32 of padding
  append(message.payload, &head, sizeof head);
  append(message.payload, regions.data(), regions.size() * sizeof(wire::MemoryRegion));
  message.fds.assign(regions.size(), fd);
  return message;
}

Message memory_region(Request request, const wire::MemoryRegion& region, int fd) {
  return with(request, wire::SingleMemoryRegion{0, region}, fd);
}

Message log_base(const wire::Log& log, int fd) {
  return with(Request::SET_LOG_BASE, log, fd);
}

Message iotlb(const wire::Iotlb& entry) {
  wire::Iotlb clean;
  std::memset(&clean, 0, sizeof clean);  // its six octets of padding too
  clean.iova = entry.iova;
  clean.size = entry.size;
  clean.user_address = entry.user_address;
  clean.permission = entry.permission;
  clean.type = entry.type;
  return with(Request::IOTLB_MSG, clean);
}

Message inflight(Request request, const wire::VhostUserInflight& area, int fd) {
  wire::VhostUserInflight clean;
  std::memset(&clean, 0, sizeof clean);
  clean.mmap_size = area.mmap_size;
  clean.mmap_offset = area.mmap_offset;
  clean.num_queues = area.num_queues;
  clean.queue_size = area.queue_size;
  return with(request, clean, fd);
}

Message config(Request request, const wire::ConfigHeader& header, const std::vector<uint8_t>& bytes) {
  Message message = with(request, header);
  append(message.payload, bytes.data(), bytes.size());
  return message;
}

Message device_state(const wire::DeviceState& state, int fd) {
  return with(Request::SET_DEVICE_STATE_FD, state, fd);
}

}  // namespace testbed::driver
