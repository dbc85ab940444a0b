#include "vdev/gate/rules/vring_rules.hpp"

#include <array>
#include <bit>
#include <string>
#include <string_view>

#include "vdev/gate/rules/memory_rules.hpp"
#include "vdev/gate/rules/request_shape.hpp"
#include "vdev/wire/vhost_user_names.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::gate {
namespace {

using wire::Feature;
using wire::Request;

struct Area {
  std::string_view name;
  uint64_t at, length, alignment;
};

// Virtio 1.2, 2.7 and 2.8: sizes and alignments of the three parts of a virtqueue.
std::array<Area, 3> areas(const wire::VringAddr& address, uint64_t size, const Said& said) {
  if (said.has(Feature::RING_PACKED))
    return {Area{"descriptor ring", address.descriptor, 16 * size, 16},
            Area{"driver area", address.available, 4, 4}, Area{"device area", address.used, 4, 4}};
  const uint64_t event = said.has(Feature::RING_EVENT_IDX) ? 2 : 0;
  return {Area{"descriptor table", address.descriptor, 16 * size, 16},
          Area{"available ring", address.available, 4 + 2 * size + event, 2},
          Area{"used ring", address.used, 4 + 8 * size + event, 4}};
}

std::string of_queue(size_t index) {
  return " of virtqueue " + std::to_string(index);
}

Verdict check_size(size_t index, uint32_t size, const Said& said) {
  if (size >= 1 && size <= kMaxRingSize && (said.has(Feature::RING_PACKED) || std::has_single_bit(size)))
    return kPass;
  return Refusal{Reason::vring, "a size" + of_queue(index) + " of " + std::to_string(size)};
}

// A split ring's index counts to 65535. A packed ring's position is a slot and the wrap counter (bit 15); a
// second one, of used descriptors, may stand in the upper half.
Verdict check_base(size_t index, const RingSaid& ring, const Said& said) {
  const uint32_t base = *ring.base;
  const auto slot_fits = [&](uint32_t position) { return (position & 0x7fff) < *ring.size; };
  const bool fits =
      said.has(Feature::RING_PACKED) ? slot_fits(base) && slot_fits(base >> 16) : base <= 0xffff;
  if (fits) return kPass;
  return Refusal{Reason::vring, "a position" + of_queue(index) + " of " + std::to_string(base) +
                                    " in a ring of " + std::to_string(*ring.size)};
}

Verdict check_areas(size_t index, const RingSaid& ring, const Said& said) {
  const auto parts = areas(*ring.address, *ring.size, said);
  for (const Area& part : parts) {
    if (part.at % part.alignment != 0)
      return Refusal{Reason::vring, "the " + std::string(part.name) + of_queue(index) + " is not aligned"};
    if (!in_one_region(said.table, part.at, part.length))
      return Refusal{Reason::vring,
                     "the " + std::string(part.name) + of_queue(index) + " lies in no memory region"};
  }
  for (size_t i = 0; i < parts.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (parts[i].at < parts[j].at + parts[j].length && parts[j].at < parts[i].at + parts[i].length)
        return Refusal{Reason::vring, "the " + std::string(parts[i].name) + of_queue(index) +
                                          " overlaps the " + std::string(parts[j].name)};
  return kPass;
}

Refusal running(const Message& message, size_t index) {
  return {Reason::running, std::string(wire::request_name(message.header.request)) +
                               " would change virtqueue " + std::to_string(index) + ", which runs"};
}

bool same_place(const wire::VringAddr& a, const wire::VringAddr& b) {
  return a.descriptor == b.descriptor && a.used == b.used && a.available == b.available;
}

// What can be judged of a ring's parts when one of them came.
Verdict check_parts(size_t index, const Said& said) {
  const RingSaid& ring = said.rings[index];
  const bool sure = ring.kicked || (ring.size_fresh && ring.address_fresh);
  if (ring.complete() && sure) return check_ring(index, said);
  if (ring.base && ring.size_fresh) return check_base(index, ring, said);
  return kPass;
}

Verdict num(const Message& message, size_t index, Said after) {
  RingSaid& ring = after.rings[index];
  const uint32_t size = message.as<wire::VringState>()->num;
  if (ring.started() && size != *ring.size) return running(message, index);
  if (auto refusal = check_size(index, size, after)) return refusal;
  ring.size = size;
  ring.size_fresh = true;
  return check_parts(index, after);
}

// Only the log may change: front-ends send the addresses again when migration begins.
Verdict addr(const Message& message, size_t index, Said after) {
  if (after.table.empty()) return Refusal{Reason::order, "SET_VRING_ADDR before SET_MEM_TABLE"};
  RingSaid& ring = after.rings[index];
  const auto address = *message.as<wire::VringAddr>();
  if (ring.started() && !same_place(address, *ring.address)) return running(message, index);
  if ((address.flags & ~uint32_t{1}) != 0)
    return Refusal{Reason::malformed, "SET_VRING_ADDR with flags " + std::to_string(address.flags)};
  ring.address = address;
  ring.address_fresh = true;
  return check_parts(index, after);
}

Verdict base(const Message& message, size_t index, Said after) {
  RingSaid& ring = after.rings[index];
  const uint32_t position = message.as<wire::VringState>()->num;
  if (ring.started() && ring.base && position != *ring.base) return running(message, index);
  ring.base = position;
  return check_parts(index, after);
}

bool needs_features(Request request) {
  return request == Request::SET_VRING_NUM || request == Request::SET_VRING_ADDR ||
         request == Request::SET_VRING_BASE || request == Request::SET_VRING_KICK;
}

}  // namespace

Verdict check_ring(size_t index, const Said& said) {
  const RingSaid& ring = said.rings[index];
  if (auto refusal = check_size(index, *ring.size, said)) return refusal;
  if (ring.base)
    if (auto refusal = check_base(index, ring, said)) return refusal;
  return check_areas(index, ring, said);
}

Verdict check_vring(const Message& message, const Said& said) {
  const size_t index = *vring_of(message);
  const Request request = message.request();
  if (needs_features(request) && !said.features_set)
    return Refusal{Reason::order, std::string(wire::request_name(message.header.request)) +
                                      " before SET_FEATURES, which says what kind of ring it is"};
  switch (request) {
    case Request::SET_VRING_NUM:
      return num(message, index, said);
    case Request::SET_VRING_ADDR:
      return addr(message, index, said);
    case Request::SET_VRING_BASE:
      return base(message, index, said);
    case Request::SET_VRING_KICK:
      return said.rings[index].complete() ? check_ring(index, said) : kPass;
    case Request::SET_VRING_ENABLE:
      if (message.as<wire::VringState>()->num > 1)
        return Refusal{Reason::malformed,
                       "SET_VRING_ENABLE to " + std::to_string(message.as<wire::VringState>()->num)};
      return kPass;
    default:
      return kPass;
  }
}

}  // namespace testbed::gate
