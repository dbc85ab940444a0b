// The vhost-user protocol on the wire: header, payloads, request ids. Layouts and names are those of the
// specification (docs/interop/vhost-user.rst of QEMU, "Message Specification"); integers are in native byte
// order, because both ends run on one machine. Layouts only: what they mean is said twice, by the gate and by
// the emulated frontends, on purpose.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace testbed::wire {

// -- Header
struct VhostUserHeader {
  uint32_t request;
  uint32_t flags;
  uint32_t size;  // of the payload
};
static_assert(sizeof(VhostUserHeader) == 12);

inline constexpr uint32_t kFlagVersionMask = 0x3;
inline constexpr uint32_t kFlagVersion = 0x1;  // the only version there is
inline constexpr uint32_t kFlagReply = 0x4;
inline constexpr uint32_t kFlagNeedReply = 0x8;

// "Memory region description" limits a table to this many, and with it the descriptors of any one message.
inline constexpr size_t kMaxRegions = 8;
inline constexpr size_t kMaxFds = kMaxRegions;
// The largest payload a net device meets is the memory table (264) or a configuration space (268); the rest
// is headroom.
inline constexpr uint32_t kMaxPayload = 4096;
// A vring index travels in 8 bits (kVringIndexMask): 128 pairs.
inline constexpr uint16_t kMaxQueuePairs = 128;
inline constexpr uint16_t kMaxVrings = 2 * kMaxQueuePairs;

// -- Requests of the front-end
enum class Request : uint32_t {
  GET_FEATURES = 1,
  SET_FEATURES = 2,
  SET_OWNER = 3,
  RESET_OWNER = 4,
  SET_MEM_TABLE = 5,
  SET_LOG_BASE = 6,
  SET_LOG_FD = 7,
  SET_VRING_NUM = 8,
  SET_VRING_ADDR = 9,
  SET_VRING_BASE = 10,
  GET_VRING_BASE = 11,
  SET_VRING_KICK = 12,
  SET_VRING_CALL = 13,
  SET_VRING_ERR = 14,
  GET_PROTOCOL_FEATURES = 15,
  SET_PROTOCOL_FEATURES = 16,
  GET_QUEUE_NUM = 17,
  SET_VRING_ENABLE = 18,
  SEND_RARP = 19,
  NET_SET_MTU = 20,
  SET_BACKEND_REQ_FD = 21,
  IOTLB_MSG = 22,
  SET_VRING_ENDIAN = 23,
  GET_CONFIG = 24,
  SET_CONFIG = 25,
  CREATE_CRYPTO_SESSION = 26,
  CLOSE_CRYPTO_SESSION = 27,
  POSTCOPY_ADVISE = 28,
  POSTCOPY_LISTEN = 29,
  POSTCOPY_END = 30,
  GET_INFLIGHT_FD = 31,
  SET_INFLIGHT_FD = 32,
  GPU_SET_SOCKET = 33,
  RESET_DEVICE = 34,
  VRING_KICK = 35,
  GET_MAX_MEM_SLOTS = 36,
  ADD_MEM_REG = 37,
  REM_MEM_REG = 38,
  SET_STATUS = 39,
  GET_STATUS = 40,
  GET_SHARED_OBJECT = 41,
  SET_DEVICE_STATE_FD = 42,
  CHECK_DEVICE_STATE = 43,
};
inline constexpr uint32_t kLastRequest = 43;

// -- Requests of the back-end, on the channel of SET_BACKEND_REQ_FD
enum class BackendRequest : uint32_t {
  IOTLB_MSG = 1,
  CONFIG_CHANGE_MSG = 2,
  VRING_HOST_NOTIFIER_MSG = 3,
  VRING_CALL = 4,
  VRING_ERR = 5,
  SHARED_OBJECT_ADD = 6,
  SHARED_OBJECT_REMOVE = 7,
  SHARED_OBJECT_LOOKUP = 8,
};
inline constexpr uint32_t kLastBackendRequest = 8;

// -- Payloads
struct VringState {
  uint32_t index;
  uint32_t num;
};
static_assert(sizeof(VringState) == 8);

struct VringAddr {
  uint32_t index;
  uint32_t flags;       // bit 0: log writes to the used ring, at `log`
  uint64_t descriptor;  // these three are addresses in the front-end's own address space
  uint64_t used;        // packed: the device event suppression area
  uint64_t available;   // packed: the driver event suppression area
  uint64_t log;         // guest-physical
};
static_assert(sizeof(VringAddr) == 40);
static_assert(offsetof(VringAddr, used) == 16);

struct MemoryRegion {
  uint64_t guest_address;
  uint64_t size;
  uint64_t user_address;  // in the front-end's address space
  uint64_t mmap_offset;   // of the region in its file
};
static_assert(sizeof(MemoryRegion) == 32);

struct MemoryTable {
  uint32_t count;
  uint32_t padding;
  std::array<MemoryRegion, kMaxRegions> regions;
};
static_assert(sizeof(MemoryTable) == 264);
inline constexpr size_t kMemoryTableHead = offsetof(MemoryTable, regions);

struct SingleMemoryRegion {
  uint64_t padding;
  MemoryRegion region;
};
static_assert(sizeof(SingleMemoryRegion) == 40);

struct Log {
  uint64_t size;
  uint64_t offset;
};
static_assert(sizeof(Log) == 16);

struct Iotlb {
  uint64_t iova;
  uint64_t size;
  uint64_t user_address;
  uint8_t permission;  // 1 read, 2 write
  uint8_t type;        // 1 miss, 2 update, 3 invalidate, 4 access fail
};
static_assert(sizeof(Iotlb) == 32);

struct VringArea {
  uint64_t index;  // as in kick messages: kVringIndexMask | kVringNoFd
  uint64_t size;
  uint64_t offset;
};
static_assert(sizeof(VringArea) == 24);

// 20 octets of fields, padded to 24: back-ends reject the short form.
struct VhostUserInflight {
  uint64_t mmap_size;
  uint64_t mmap_offset;
  uint16_t num_queues;
  uint16_t queue_size;
};
static_assert(sizeof(VhostUserInflight) == 24);

struct ConfigHeader {
  uint32_t offset;
  uint32_t size;
  uint32_t flags;
};
static_assert(sizeof(ConfigHeader) == 12);

struct DeviceState {
  uint32_t direction;  // 0 save, 1 load
  uint32_t phase;      // 0 stopped
};
static_assert(sizeof(DeviceState) == 8);

// The u64 of SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR.
inline constexpr uint64_t kVringIndexMask = 0xff;
inline constexpr uint64_t kVringNoFd = 0x100;

// -- Protocol features (GET_PROTOCOL_FEATURES), by bit number
enum class ProtocolFeature : uint8_t {
  MQ = 0,
  LOG_SHMFD = 1,
  RARP = 2,
  REPLY_ACK = 3,
  MTU = 4,
  BACKEND_REQ = 5,
  CROSS_ENDIAN = 6,
  CRYPTO_SESSION = 7,
  PAGEFAULT = 8,
  CONFIG = 9,
  BACKEND_SEND_FD = 10,
  HOST_NOTIFIER = 11,
  INFLIGHT_SHMFD = 12,
  RESET_DEVICE = 13,
  INBAND_NOTIFICATIONS = 14,
  CONFIGURE_MEM_SLOTS = 15,
  STATUS = 16,
  XEN_MMAP = 17,
  SHARED_OBJECT = 18,
  DEVICE_STATE = 19,
  GET_VRING_BASE_INFLIGHT = 20,
};

constexpr uint64_t bit(ProtocolFeature feature) {
  return uint64_t{1} << static_cast<uint8_t>(feature);
}

}  // namespace testbed::wire
