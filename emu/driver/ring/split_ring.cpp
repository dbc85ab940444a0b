#include "emu/driver/ring/split_ring.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace testbed::driver {

using wire::SplitDesc;

namespace {

template <typename T>
T load(const T& where, std::memory_order order = std::memory_order_relaxed) {
  return std::atomic_ref<T>(const_cast<T&>(where)).load(order);
}

uint32_t writable_in(std::span<const Segment> segments) {
  uint32_t sum = 0;
  for (const Segment& segment : segments) sum += segment.write ? segment.length : 0;
  return sum;
}

uint16_t flags_of(const Segment& segment, bool more) {
  return static_cast<uint16_t>((segment.write ? wire::kDescWrite : 0) | (more ? wire::kDescNext : 0));
}

}  // namespace

SplitRing::SplitRing(const GuestMemory& memory, const RingPlace& place, const RingOptions& options,
                     uint8_t* state)
    : Ring(memory, place, options, state), free_(options.size) {
  const RingSizes sizes = ring_sizes(options);
  desc_ = reinterpret_cast<SplitDesc*>(memory.at(place.descriptors, sizes.descriptors));
  avail_ = reinterpret_cast<wire::SplitAvail*>(memory.at(place.available, sizes.available));
  used_ = reinterpret_cast<wire::SplitUsed*>(memory.at(place.used, sizes.used));
  tables_ = reinterpret_cast<SplitDesc*>(memory.at(place.tables, options.indirect ? 16 : 0));
  TB_ASSERT(desc_ && avail_ && used_);
}

void SplitRing::reset() {
  state_.header() = {RingState::kMagic, options_.size, 0, options_.first, 0, 0};
  for (uint16_t i = 0; i < options_.size; ++i) {
    state_.record(i) = {};
    put_descriptor(i, {});
    free_[i] = i;
  }
  free_head_ = 0;
  free_count_ = options_.size;
  outstanding_ = 0;
  batch_.reset();
  added_ = published_ = told_ = consumed_ = options_.first;
  memory_.put(&avail_->index, added_);
  memory_.put(&used_->flags, uint16_t{0});
  memory_.put(&used_->index, consumed_);
  memory_.put(avail_event(), added_);  // a device that says nothing is told of the first chain
  want_calls(calls_);
  clear_marks();
}

bool SplitRing::recover() {
  const RingState::Header& header = state_.header();
  if (header.magic != RingState::kMagic || header.size != options_.size || header.packed) return false;
  added_ = published_ = told_ = load(avail_->index);
  consumed_ = header.consumed;
  batch_.reset();
  outstanding_ = 0;
  std::vector<bool> busy(options_.size);
  for (uint16_t token = 0; token < options_.size; ++token) {
    ChainRecord& record = state_.record(token);
    if (!record.outstanding) continue;
    // Recorded, but killed before the index that covers it was published: the device never saw it.
    const auto behind = static_cast<uint16_t>(published_ - record.position);
    if (behind == 0 || behind > options_.size) {
      record.outstanding = 0;
      continue;
    }
    ++outstanding_;
    uint16_t descriptor = token;
    for (uint16_t i = 0; i < record.count && descriptor < options_.size;
         ++i, descriptor = state_.link(descriptor))
      busy[descriptor] = true;
  }
  free_head_ = free_count_ = 0;
  // From where the last chain ended on, so that the order goes on too.
  const uint16_t last = options_.size ? state_.order(static_cast<uint16_t>(added_ - 1) & mask()) : 0;
  for (uint32_t i = 0; i < options_.size; ++i) {
    const auto index = static_cast<uint16_t>((last + 1 + i) & mask());
    if (!busy[index]) free_[free_count_++] = index;
  }
  // Killed between booking a returned chain and remembering that it was taken.
  const uint32_t first = used_ring()[consumed_ & mask()].id;
  if (used_pending() && first < options_.size && !state_.record(static_cast<uint16_t>(first)).outstanding)
    state_.header().consumed = ++consumed_;
  want_calls(calls_);
  clear_marks();
  return true;
}

std::optional<uint16_t> SplitRing::acquire(uint16_t descriptors) {
  if (descriptors == 0 || descriptors > free_count_) return std::nullopt;
  const uint16_t token = free_[free_head_];
  uint16_t last = token;
  for (uint16_t i = 0; i < descriptors; ++i) {
    const uint16_t index = free_[(free_head_ + i) & mask()];
    if (i > 0) state_.link(last) = index;
    last = index;
  }
  free_head_ = (free_head_ + descriptors) & mask();
  free_count_ = static_cast<uint16_t>(free_count_ - descriptors);
  state_.record(token).count = descriptors;
  return token;
}

void SplitRing::put_descriptor(uint16_t index, const SplitDesc& descriptor) const {
  memory_.copy_in(reinterpret_cast<uint8_t*>(desc_ + index), &descriptor, sizeof descriptor);
}

void SplitRing::put_direct(uint16_t token, std::span<const Segment> segments) {
  uint16_t index = token;
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool more = i + 1 < segments.size();
    const uint16_t next = more ? state_.link(index) : uint16_t{0};
    put_descriptor(index, {segments[i].gpa, segments[i].length, flags_of(segments[i], more), next});
    index = next;
  }
}

void SplitRing::put_table(uint16_t token, std::span<const Segment> segments) {
  TB_ASSERT(segments.size() <= options_.table_length);
  SplitDesc* table = tables_ + static_cast<size_t>(token) * options_.table_length;
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool more = i + 1 < segments.size();
    const SplitDesc entry{segments[i].gpa, segments[i].length, flags_of(segments[i], more),
                          static_cast<uint16_t>(more ? i + 1 : 0)};
    memory_.copy_in(reinterpret_cast<uint8_t*>(table + i), &entry, sizeof entry);
  }
  put_descriptor(token, {place_.tables + 16ull * token * options_.table_length,
                         static_cast<uint32_t>(16 * segments.size()), wire::kDescIndirect, 0});
}

void SplitRing::offer(uint16_t token, uint16_t head, uint32_t writable, bool raw) {
  ChainRecord& record = state_.record(token);
  record.position = added_;
  record.writable = writable;
  record.raw = raw;
  state_.order(added_ & mask()) = token;
  RingState::settle(record.outstanding, uint8_t{1});
  ++outstanding_;
  memory_.put(&avail_ring()[added_ & mask()], head);
  ++added_;
}

void SplitRing::add(uint16_t token, std::span<const Segment> segments) {
  if (options_.indirect && segments.size() > 1)
    put_table(token, segments);
  else
    put_direct(token, segments);
  offer(token, token, writable_in(segments), false);
}

void SplitRing::add_raw(uint16_t token, std::span<const RawDescriptor> descriptors, const RawOptions& how,
                        uint32_t writable) {
  uint16_t index = token;
  for (const RawDescriptor& raw : descriptors) {
    const uint16_t next = state_.link(index);
    put_descriptor(index, {raw.address, raw.length, raw.flags, raw.next.value_or(next)});
    index = next;
  }
  offer(token, how.head.value_or(token), writable, true);
  if (how.avail_index) added_ = *how.avail_index;
  if (how.publish) publish();
}

void SplitRing::publish() {
  if (published_ == added_) return;
  memory_.put(&avail_->index, added_, std::memory_order_release);
  published_ = added_;
}

bool SplitRing::kick_wanted() {
  const uint16_t before = told_, now = published_;
  if (before == now) return false;
  told_ = now;
  std::atomic_thread_fence(std::memory_order_seq_cst);  // our index before its wish (2.7.13.4.1)
  if (!options_.event_idx) return !(load(used_->flags) & wire::kUsedNoNotify);
  const uint16_t event = load(*avail_event());
  return static_cast<uint16_t>(now - event - 1) < static_cast<uint16_t>(now - before);
}

void SplitRing::free_chain(uint16_t token) {
  uint16_t index = token;
  for (uint16_t i = 0; i < state_.record(token).count; ++i) {
    free_[(free_head_ + free_count_) & mask()] = index;
    ++free_count_;
    index = state_.link(index);
  }
}

std::optional<UsedChain> SplitRing::take_one(uint16_t seen) {
  wire::SplitUsedElement element = used_ring()[consumed_ & mask()];
  if (options_.in_order) {
    // One entry may stand for a batch: it names the last chain; those before it were used completely (2.7.9).
    if (!batch_) batch_ = element;
    const uint16_t due = state_.order(consumed_ & mask());
    element = due == batch_->id ? *batch_ : wire::SplitUsedElement{due, state_.record(due).writable};
    if (due == batch_->id || static_cast<uint16_t>(consumed_ + 1) == seen) batch_.reset();
  }
  std::optional<UsedChain> chain;
  if (element.id < options_.size)
    chain = give_back(static_cast<uint16_t>(element.id), element.length);
  else
    ++faults_.unknown_id;
  if (chain) free_chain(chain->token);
  RingState::settle(state_.header().consumed, ++consumed_);
  ++marks_count_;
  return chain;
}

uint16_t SplitRing::take(std::span<UsedChain> used) {
  const uint16_t seen = load(used_->index, std::memory_order_acquire);
  if (static_cast<uint16_t>(seen - consumed_) > static_cast<uint16_t>(published_ - consumed_)) {
    if (refused_ != seen) ++faults_.overrun;
    refused_ = seen;  // nothing of it can be believed
    return 0;
  }
  uint16_t count = 0;
  while (count < used.size() && consumed_ != seen)
    if (const auto chain = take_one(seen)) used[count++] = *chain;
  if (count && options_.event_idx) want_calls(calls_);
  return count;
}

bool SplitRing::used_pending() const {
  return load(used_->index, std::memory_order_acquire) != consumed_;
}

void SplitRing::want_calls(bool on) {
  calls_ = on;
  if (options_.event_idx) {
    // An event index that lies just behind is the farthest ahead.
    memory_.put(used_event(), static_cast<uint16_t>(on ? consumed_ : consumed_ - 1));
    memory_.put(&avail_->flags, uint16_t{0});
  } else {
    memory_.put(&avail_->flags, on ? uint16_t{0} : wire::kAvailNoInterrupt);
  }
  if (on) std::atomic_thread_fence(std::memory_order_seq_cst);  // our wish before we look once more
}

uint16_t SplitRing::resume_position() const {
  return load(used_->index, std::memory_order_acquire);
}

std::vector<ByteRange> SplitRing::marks() const {
  if (marks_count_ == 0) return {};
  std::vector<ByteRange> ranges{{place_.used + offsetof(wire::SplitUsed, index), sizeof(uint16_t)}};
  for (uint64_t i = 0; i < std::min<uint64_t>(marks_count_, options_.size); ++i)
    ranges.push_back({place_.used + sizeof(wire::SplitUsed) + 8ull * ((marks_from_ + i) & mask()), 8});
  return ranges;
}

void SplitRing::clear_marks() {
  marks_from_ = consumed_;
  marks_count_ = 0;
}

std::vector<ByteRange> SplitRing::device_areas() const {
  return {{place_.used, ring_sizes(options_).used}};
}

}  // namespace testbed::driver
