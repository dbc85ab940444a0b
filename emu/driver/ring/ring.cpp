#include "emu/driver/ring/ring.hpp"

#include <bit>

#include "emu/driver/ring/packed_ring.hpp"
#include "emu/driver/ring/split_ring.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::driver {

std::optional<UsedChain> Ring::give_back(uint16_t token, uint32_t length) {
  ChainRecord& record = state_.record(token);
  if (!record.outstanding) {
    ++faults_.unknown_id;
    return std::nullopt;
  }
  if (length > record.writable) ++faults_.long_length;
  RingState::settle(record.outstanding, uint8_t{0});
  --outstanding_;
  return UsedChain{token, length, record.raw != 0};
}

RingSizes ring_sizes(const RingOptions& options) {
  const uint64_t size = options.size;
  if (options.packed) return {16 * size, sizeof(wire::PackedEvent), sizeof(wire::PackedEvent)};
  // Both event words are there whether or not the feature is (Virtio 1.2, 2.7.1).
  return {16 * size, sizeof(wire::SplitAvail) + 2 * size + 2, sizeof(wire::SplitUsed) + 8 * size + 2};
}

Result<void> check_place(const GuestMemory& memory, const RingPlace& place, const RingOptions& options) {
  if (options.size == 0 || options.size > wire::kMaxQueueSize)
    return fail(Errc::invalid_argument, "a ring has 1 to 32768 descriptors");
  if (!options.packed && !std::has_single_bit(options.size))
    return fail(Errc::invalid_argument, "the size of a split ring is a power of two");
  const RingSizes sizes = ring_sizes(options);
  const auto in_memory = [&](uint64_t gpa, uint64_t length, uint64_t align) {
    return gpa % align == 0 && memory.at(gpa, length) != nullptr;
  };
  if (!in_memory(place.descriptors, sizes.descriptors, 16) ||
      !in_memory(place.available, sizes.available, options.packed ? 4 : 2) ||
      !in_memory(place.used, sizes.used, 4))
    return fail(Errc::invalid_argument, "a part of the ring is misaligned or not inside one region");
  if (options.indirect && !in_memory(place.tables, 16ull * options.size * options.table_length, 16))
    return fail(Errc::invalid_argument, "the indirect tables are misaligned or not inside one region");
  return {};
}

std::unique_ptr<Ring> make_ring(const GuestMemory& memory, const RingPlace& place, const RingOptions& options,
                                uint8_t* state) {
  if (options.packed) return std::make_unique<PackedRing>(memory, place, options, state);
  return std::make_unique<SplitRing>(memory, place, options, state);
}

}  // namespace testbed::driver
