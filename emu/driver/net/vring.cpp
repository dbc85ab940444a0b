#include "emu/driver/net/vring.hpp"

#include <sys/eventfd.h>

#include <algorithm>

#include "core/base/clock.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::driver {
namespace {

bool same_ring(const RingOptions& a, const RingOptions& b) {
  return a.size == b.size && a.packed == b.packed && a.indirect == b.indirect && a.event_idx == b.event_idx &&
         a.in_order == b.in_order && a.table_length == b.table_length;
}

}  // namespace

Vring::Vring(const GuestMemory& memory, const VringLayout& layout, uint8_t* state)
    : memory_(memory),
      layout_(layout),
      state_(state),
      kick_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      call_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      error_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      stillness_(memory) {
  for (const uint64_t gpa : layout.slots) pointers_.push_back(memory.at(gpa, layout.slot_size));
}

bool Vring::configure(const RingOptions& options, bool fresh) {
  if (ring_ && !fresh && same_ring(ring_->options(), options)) return true;
  const bool first = ring_ == nullptr;
  ring_ = make_ring(memory_, layout_.ring, options, state_);
  const bool kept = first && !fresh && ring_->recover();
  if (!kept) {
    ring_->reset();
    raw_.clear();
  }
  started();
  return kept;
}

uint64_t Vring::drain(const Fd& fd, uint64_t& sum) {
  uint64_t count = 0;
  if (::read(fd.get(), &count, sizeof count) == sizeof count) sum += count;
  return sum;
}

uint64_t Vring::calls() {
  return drain(call_, calls_);
}
uint64_t Vring::errors() {
  return drain(error_, errors_);
}

void Vring::kick() {
  if (polled_) return;
  const uint64_t one = 1;
  if (::write(kick_.get(), &one, sizeof one) == sizeof one) ++kicks_;
}

void Vring::publish_and_kick() {
  ring_->publish();
  if (ring_->kick_wanted()) kick();
}

Result<uint16_t> Vring::post_raw(const std::vector<RawDescriptor>& descriptors, const RawOptions& how,
                                 bool with_kick) {
  const auto token = ring_->acquire(static_cast<uint16_t>(descriptors.size()));
  if (!token)
    return fail(Errc::exhausted, "the ring has " + std::to_string(ring_->room()) + " free descriptors");
  std::vector<Segment> writable;
  uint64_t sum = 0;
  for (const RawDescriptor& raw : descriptors) {
    if (!(raw.flags & wire::kDescWrite) || (raw.flags & wire::kDescIndirect)) continue;
    writable.push_back({raw.address, raw.length, true});
    sum += raw.length;
  }
  raw_[*token] = std::move(writable);
  if (posts_.size() == kKeptLast) posts_.pop_front();
  posts_.push_back({*token, now_ns(), descriptors});
  ring_->add_raw(*token, descriptors, how, static_cast<uint32_t>(std::min<uint64_t>(sum, UINT32_MAX)));
  ring_->kick_wanted();  // this chain's kick is the caller's to decide
  if (with_kick) kick();
  return *token;
}

std::vector<UsedChain> Vring::last_returned() const {
  std::vector<UsedChain> chains;
  for (uint64_t i = noted_ - std::min<uint64_t>(noted_, kKeptLast); i < noted_; ++i)
    chains.push_back(last_[i % kKeptLast]);
  return chains;
}

void Vring::note_raw(const UsedChain& used) {
  if (returns_.size() == kKeptReturns) returns_.pop_front();
  returns_.push_back({used.token, used.length, now_ns()});
  const auto found = raw_.find(used.token);
  if (found == raw_.end()) return;
  raw_returned_.insert(raw_returned_.end(), found->second.begin(), found->second.end());
  uint32_t left = used.length;
  for (const Segment& segment : found->second) {
    raw_written_.push_back({segment.gpa, std::min(left, segment.length), true});
    left -= raw_written_.back().length;
  }
  raw_.erase(found);
}

void Vring::add_returned(ByteRanges& ranges) const {
  for (const Segment& segment : raw_returned_) ranges.add(segment.gpa, segment.length);
}

void Vring::add_written(ByteRanges& ranges) const {
  for (const Segment& segment : raw_written_) ranges.add(segment.gpa, segment.length);
  if (!ring_) return;
  for (const ByteRange& range : ring_->marks()) ranges.add(range.address, range.length);
}

void Vring::add_posted(ByteRanges& ranges) const {
  for (const auto& [token, segments] : raw_)
    for (const Segment& segment : segments) ranges.add(segment.gpa, segment.length);
}

void Vring::clear_ledger() {
  raw_returned_.clear();
  raw_written_.clear();
  if (ring_) ring_->clear_marks();
}

}  // namespace testbed::driver
