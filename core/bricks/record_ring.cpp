#include "core/bricks/record_ring.hpp"

#include "core/base/assert.hpp"

namespace testbed {
namespace {

// Keeps every header whole and aligned: a gap at the end always has room for one.
constexpr size_t kAlignment = 32;

size_t padded(size_t size) {
  return (size + kAlignment - 1) & ~(kAlignment - 1);
}

}  // namespace

static_assert(sizeof(RecordHeader) <= kAlignment);

RecordRing::RecordRing(size_t bytes)
    : size_(bytes), bytes_(std::make_unique_for_overwrite<std::byte[]>(bytes)) {
  TB_ASSERT((bytes & (bytes - 1)) == 0 && bytes >= 4096);
}

RecordHeader* RecordRing::reserve(uint32_t captured) {
  const size_t size = padded(sizeof(RecordHeader) + captured);
  uint64_t tail = tail_.load(std::memory_order_relaxed);
  const size_t free = size_ - (tail - head_.load(std::memory_order_acquire));
  const size_t to_end = size_ - (tail & (size_ - 1));
  const size_t gap = size > to_end ? to_end : 0;
  if (gap + size > free) return nullptr;
  if (gap > 0) {
    at(tail)->size = static_cast<uint32_t>(gap);
    at(tail)->captured = kWrap;
    tail += gap;
  }
  RecordHeader* record = at(tail);
  record->size = static_cast<uint32_t>(size);
  record->captured = captured;
  reserved_ = tail + size;
  return record;
}

void RecordRing::commit() {
  tail_.store(reserved_, std::memory_order_release);
}

const RecordHeader* RecordRing::front() {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  if (head == tail_.load(std::memory_order_acquire)) return nullptr;
  if (at(head)->captured != kWrap) return at(head);
  head_.store(head + at(head)->size, std::memory_order_release);
  return at(head + at(head)->size);  // a gap is published together with the record behind it
}

void RecordRing::pop() {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  head_.store(head + at(head)->size, std::memory_order_release);
}

}  // namespace testbed
