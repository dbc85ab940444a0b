#include "emu/driver/ring/packed_ring.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace testbed::driver {

using wire::kPositionWrap;
using wire::PackedDesc;

namespace {

constexpr uint16_t slot_of(uint16_t position) {
  return position & static_cast<uint16_t>(~kPositionWrap);
}
constexpr bool wrap_of(uint16_t position) {
  return position & kPositionWrap;
}

uint16_t load_flags(const PackedDesc& desc) {
  return std::atomic_ref<uint16_t>(const_cast<uint16_t&>(desc.flags)).load(std::memory_order_acquire);
}

uint32_t writable_in(std::span<const Segment> segments) {
  uint32_t sum = 0;
  for (const Segment& segment : segments) sum += segment.write ? segment.length : 0;
  return sum;
}

}  // namespace

PackedRing::PackedRing(const GuestMemory& memory, const RingPlace& place, const RingOptions& options,
                       uint8_t* state)
    : Ring(memory, place, options, state), ids_(options.size) {
  const RingSizes sizes = ring_sizes(options);
  desc_ = reinterpret_cast<PackedDesc*>(memory.at(place.descriptors, sizes.descriptors));
  driver_event_ = reinterpret_cast<wire::PackedEvent*>(memory.at(place.available, sizes.available));
  device_event_ = reinterpret_cast<wire::PackedEvent*>(memory.at(place.used, sizes.used));
  tables_ = reinterpret_cast<PackedDesc*>(memory.at(place.tables, options.indirect ? 16 : 0));
  TB_ASSERT(desc_ && driver_event_ && device_event_);
}

uint16_t PackedRing::advance(uint16_t position, uint16_t count) const {
  const uint32_t slot = slot_of(position) + uint32_t{count};
  if (slot < options_.size) return static_cast<uint16_t>(position + count);
  return static_cast<uint16_t>((slot - options_.size) | (wrap_of(position) ? 0 : kPositionWrap));
}

// AVAIL equal to, USED different from the driver's wrap counter: available (2.8.1).
uint16_t PackedRing::ring_flags(uint16_t position) const {
  return wrap_of(position) ? wire::kPackedAvail : wire::kPackedUsed;
}

bool PackedRing::is_used(uint16_t position) const {
  constexpr uint16_t kBoth = wire::kPackedAvail | wire::kPackedUsed;
  return (load_flags(desc_[slot_of(position)]) & kBoth) == (wrap_of(position) ? kBoth : 0);
}

void PackedRing::reset() {
  state_.header() = {RingState::kMagic, options_.size, 1, options_.first, options_.first, 0};
  next_ = consumed_ = options_.first;
  for (uint16_t i = 0; i < options_.size; ++i) {
    state_.record(i) = {};
    ids_[i] = i;
    // Slots before the first were used in its lap, the others in the lap before: none looks available, and
    // none from the first on looks used.
    const bool wrap = wrap_of(options_.first) == (i < slot_of(options_.first));
    const PackedDesc empty{0, 0, 0, static_cast<uint16_t>(wrap ? wire::kPackedAvail | wire::kPackedUsed : 0)};
    memory_.copy_in(reinterpret_cast<uint8_t*>(desc_ + i), &empty, sizeof empty);
  }
  ids_head_ = 0;
  ids_count_ = free_slots_ = options_.size;
  outstanding_ = untold_ = 0;
  batch_.reset();
  memory_.put(&device_event_->offset_wrap, uint16_t{0});
  memory_.put(&device_event_->flags, wire::kEventEnable);
  want_calls(calls_);
  clear_marks();
}

bool PackedRing::recover() {
  const RingState::Header header = state_.header();
  if (header.magic != RingState::kMagic || header.size != options_.size || !header.packed) return false;
  if (slot_of(header.next) >= options_.size || slot_of(header.consumed) >= options_.size) return false;
  next_ = header.next;
  consumed_ = header.consumed;
  batch_.reset();
  outstanding_ = untold_ = ids_head_ = ids_count_ = 0;
  free_slots_ = options_.size;
  for (uint16_t id = 0; id < options_.size; ++id) {
    ChainRecord& record = state_.record(id);
    if (record.outstanding && record.position == header.next) {
      // The last one: killed before or after its first descriptor was made available?
      const bool avail = load_flags(desc_[slot_of(header.next)]) & wire::kPackedAvail;
      record.outstanding = avail == wrap_of(header.next);
      if (record.outstanding) next_ = advance(header.next, record.count);
    }
    if (record.outstanding) {
      ++outstanding_;
      free_slots_ = static_cast<uint16_t>(free_slots_ - record.count);
    } else {
      ids_[ids_count_++] = id;
    }
  }
  state_.header().next = next_;
  const uint16_t first = options_.in_order ? state_.order(slot_of(consumed_)) : desc_[slot_of(consumed_)].id;
  // Killed between booking a returned chain and remembering that it was taken.
  if (is_used(consumed_) && first < options_.size && !state_.record(first).outstanding)
    state_.header().consumed = consumed_ = advance(consumed_, state_.record(first).count);
  want_calls(calls_);
  clear_marks();
  return true;
}

std::optional<uint16_t> PackedRing::acquire(uint16_t descriptors) {
  if (descriptors == 0 || descriptors > free_slots_ || ids_count_ == 0) return std::nullopt;
  const uint16_t id = ids_[ids_head_];
  ids_head_ = static_cast<uint16_t>((ids_head_ + 1) % options_.size);
  --ids_count_;
  free_slots_ = static_cast<uint16_t>(free_slots_ - descriptors);
  state_.record(id).count = descriptors;
  return id;
}

void PackedRing::fill(uint16_t position, const Slot& slot) const {
  PackedDesc& desc = desc_[slot_of(position)];
  memory_.put(&desc.address, slot.address);
  memory_.put(&desc.length, slot.length);
  memory_.put(&desc.id, slot.id);
}

template <typename SlotAt>
void PackedRing::offer(uint16_t token, uint16_t count, uint32_t writable, bool raw, const SlotAt& slot_at) {
  ChainRecord& record = state_.record(token);
  record.position = next_;
  record.writable = writable;
  record.raw = raw;
  state_.order(slot_of(next_)) = token;
  RingState::settle(record.outstanding, uint8_t{1});
  ++outstanding_;
  uint16_t position = next_;
  for (uint16_t i = 0; i < count; ++i, position = advance(position, 1)) {
    const Slot slot = slot_at(i, position);
    fill(position, slot);
    if (i > 0) memory_.put(&desc_[slot_of(position)].flags, slot.flags);
  }
  memory_.put(&desc_[slot_of(next_)].flags, slot_at(0, next_).flags, std::memory_order_release);
  next_ = position;
  RingState::settle(state_.header().next, next_);
  untold_ = static_cast<uint16_t>(untold_ + count);
}

void PackedRing::put_table(uint16_t token, std::span<const Segment> segments) const {
  TB_ASSERT(segments.size() <= options_.table_length);
  PackedDesc* table = tables_ + static_cast<size_t>(token) * options_.table_length;
  for (size_t i = 0; i < segments.size(); ++i) {
    // In a table the order is that of its entries; only WRITE means something (2.8.7).
    const PackedDesc entry{segments[i].gpa, segments[i].length, 0,
                           static_cast<uint16_t>(segments[i].write ? wire::kDescWrite : 0)};
    memory_.copy_in(reinterpret_cast<uint8_t*>(table + i), &entry, sizeof entry);
  }
}

void PackedRing::add(uint16_t token, std::span<const Segment> segments) {
  if (options_.indirect && segments.size() > 1) {
    put_table(token, segments);
    const Slot slot{place_.tables + 16ull * token * options_.table_length,
                    static_cast<uint32_t>(16 * segments.size()), token,
                    static_cast<uint16_t>(wire::kDescIndirect | ring_flags(next_))};
    return offer(token, 1, writable_in(segments), false, [&](uint16_t, uint16_t) { return slot; });
  }
  offer(token, static_cast<uint16_t>(segments.size()), writable_in(segments), false,
        [&](uint16_t i, uint16_t position) {
          const Segment& segment = segments[i];
          const bool more = i + 1u < segments.size();
          return Slot{segment.gpa, segment.length, token,
                      static_cast<uint16_t>((segment.write ? wire::kDescWrite : 0) |
                                            (more ? wire::kDescNext : 0) | ring_flags(position))};
        });
}

void PackedRing::add_raw(uint16_t token, std::span<const RawDescriptor> descriptors, const RawOptions& how,
                         uint32_t writable) {
  offer(token, static_cast<uint16_t>(descriptors.size()), writable, true, [&](uint16_t i, uint16_t position) {
    const RawDescriptor& raw = descriptors[i];
    constexpr uint16_t kPosition = wire::kPackedAvail | wire::kPackedUsed;
    const auto flags =
        how.exact_flags ? raw.flags : static_cast<uint16_t>((raw.flags & ~kPosition) | ring_flags(position));
    return Slot{raw.address, raw.length, raw.id.value_or(token), flags};
  });
}

bool PackedRing::kick_wanted() {
  const uint16_t added = std::exchange(untold_, uint16_t{0});
  if (added == 0) return false;
  std::atomic_thread_fence(std::memory_order_seq_cst);  // our descriptors before its wish (2.8.14)
  uint32_t both;
  std::memcpy(&both, device_event_, sizeof both);
  const auto flags = static_cast<uint16_t>(both >> 16 & 3), event = static_cast<uint16_t>(both);
  if (flags != wire::kEventDesc) return flags != wire::kEventDisable;
  // Slots counted on from the lap of next_: the event of the lap before lies `size` lower.
  const auto now = slot_of(next_);
  const auto at =
      static_cast<uint16_t>(slot_of(event) - (wrap_of(event) == wrap_of(next_) ? 0 : options_.size));
  return static_cast<uint16_t>(now - at - 1) < added;
}

uint16_t PackedRing::behind_used(uint16_t position) const {
  const uint16_t id = desc_[slot_of(position)].id;
  if (!options_.in_order)
    return advance(position, id < options_.size ? state_.record(id).count : uint16_t{1});
  for (uint16_t i = 0; i < options_.size; ++i) {
    const uint16_t token = state_.order(slot_of(position));
    position = advance(position, state_.record(token).count);
    if (token == id) break;
  }
  return position;
}

std::optional<UsedChain> PackedRing::take_one() {
  PackedDesc used = desc_[slot_of(consumed_)];
  if (options_.in_order) {
    if (!batch_) batch_ = used;
    const uint16_t due = state_.order(slot_of(consumed_));
    used = due == batch_->id ? *batch_ : PackedDesc{0, state_.record(due).writable, due, wire::kDescWrite};
    if (due == batch_->id || outstanding_ <= 1) batch_.reset();
  }
  uint16_t count = 1;
  std::optional<UsedChain> chain;
  if (used.id < options_.size) {
    count = state_.record(used.id).count;
    // The length means nothing unless something was written (2.8.5).
    chain = give_back(used.id, used.flags & wire::kDescWrite ? used.length : 0);
  } else {
    ++faults_.unknown_id;
  }
  if (chain) {
    ids_[(ids_head_ + ids_count_++) % options_.size] = chain->token;
    free_slots_ = static_cast<uint16_t>(free_slots_ + count);
  }
  marks_count_ += count;
  consumed_ = advance(consumed_, count);
  RingState::settle(state_.header().consumed, consumed_);
  return chain;
}

uint16_t PackedRing::take(std::span<UsedChain> used) {
  uint16_t count = 0;
  while (count < used.size() && (batch_ || is_used(consumed_))) {
    if (outstanding_ == 0) {
      if (refused_ != consumed_) ++faults_.overrun;
      refused_ = consumed_;
      break;
    }
    if (const auto chain = take_one()) used[count++] = *chain;
  }
  if (count && options_.event_idx) want_calls(calls_);
  return count;
}

void PackedRing::want_calls(bool on) {
  calls_ = on;
  memory_.put(&driver_event_->offset_wrap, consumed_);
  const uint16_t wish = options_.event_idx ? wire::kEventDesc : wire::kEventEnable;
  memory_.put(&driver_event_->flags, on ? wish : wire::kEventDisable);
  if (on) std::atomic_thread_fence(std::memory_order_seq_cst);  // our wish before we look once more
}

uint16_t PackedRing::resume_position() const {
  uint16_t position = consumed_;
  for (uint16_t i = 0; i < outstanding_ && is_used(position); ++i) position = behind_used(position);
  return position;
}

std::vector<ByteRange> PackedRing::marks() const {
  std::vector<ByteRange> ranges;
  for (uint64_t i = 0; i < std::min<uint64_t>(marks_count_, options_.size); ++i)
    ranges.push_back(
        {place_.descriptors + 16 * ((marks_from_ + i) % options_.size) + offsetof(PackedDesc, length), 8});
  return ranges;
}

void PackedRing::clear_marks() {
  marks_from_ = slot_of(consumed_);
  marks_count_ = 0;
}

std::vector<ByteRange> PackedRing::device_areas() const {
  std::vector<ByteRange> areas{{place_.used, sizeof(wire::PackedEvent)}};
  // The device marks descriptors used: it writes length, id and flags, never the address (2.8.6).
  for (uint16_t i = 0; i < options_.size; ++i)
    areas.push_back({place_.descriptors + 16ull * i + offsetof(PackedDesc, length),
                     sizeof(PackedDesc) - offsetof(PackedDesc, length)});
  return areas;
}

}  // namespace testbed::driver
