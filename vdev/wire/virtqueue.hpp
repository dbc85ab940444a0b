// Virtqueues as they lie in guest memory: Virtio 1.2, sections 2.7 (split) and 2.8 (packed). Little endian,
// like every machine this runs on. Layouts and bit tests only; the driver's rings and the device's rings are
// walked by separate code.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace testbed::wire {

static_assert(std::endian::native == std::endian::little, "virtio 1 rings are little endian");

inline constexpr uint16_t kMaxQueueSize = 32768;

// -- Descriptor flags, both formats
inline constexpr uint16_t kDescNext = 1 << 0;
inline constexpr uint16_t kDescWrite = 1 << 1;  // the device writes it
inline constexpr uint16_t kDescIndirect = 1 << 2;

// -- Split
struct SplitDesc {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};
static_assert(sizeof(SplitDesc) == 16);

struct SplitAvail {
  uint16_t flags;  // 1: no interrupt, please
  uint16_t index;
  // uint16_t ring[size]; uint16_t used_event;
};
static_assert(sizeof(SplitAvail) == 4);

struct SplitUsedElement {
  uint32_t id;
  uint32_t length;
};
static_assert(sizeof(SplitUsedElement) == 8);

struct SplitUsed {
  uint16_t flags;  // 1: no notification, please
  uint16_t index;
  // SplitUsedElement ring[size]; uint16_t avail_event;
};
static_assert(sizeof(SplitUsed) == 4);

inline constexpr uint16_t kAvailNoInterrupt = 1;
inline constexpr uint16_t kUsedNoNotify = 1;

// -- Packed
inline constexpr uint16_t kPackedAvail = 1 << 7;
inline constexpr uint16_t kPackedUsed = 1 << 15;

struct PackedDesc {
  uint64_t address;
  uint32_t length;
  uint16_t id;
  uint16_t flags;
};
static_assert(sizeof(PackedDesc) == 16);
static_assert(offsetof(PackedDesc, flags) == 14);

struct PackedEvent {
  uint16_t offset_wrap;  // read by the other side only while flags is kEventDesc
  uint16_t flags;
};
static_assert(sizeof(PackedEvent) == 4);

inline constexpr uint16_t kEventEnable = 0;
inline constexpr uint16_t kEventDisable = 1;
inline constexpr uint16_t kEventDesc = 2;

// A position on a packed ring as vhost-user carries it: the slot in bits 0-14, the wrap counter in bit 15.
inline constexpr uint16_t kPositionWrap = 0x8000;
inline constexpr uint16_t kPositionStart = kPositionWrap;

}  // namespace testbed::wire
