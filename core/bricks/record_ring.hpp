// A bounded ring of octets between a worker that records frames and the thread that writes them to disk. A
// record lies in one piece; nothing is allocated after construction, and nothing waits: a full ring is the
// caller's to count.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace testbed {

struct RecordHeader {
  uint32_t size;      // of the whole record with this header and padding; the next one follows
  uint32_t captured;  // octets of the frame behind this header; kWrap: nothing, the next record is at the
                      // ring's start
  uint32_t original;  // octets the frame had
  uint32_t interface;
  uint64_t t_ns;

  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* data() const { return reinterpret_cast<const std::byte*>(this + 1); }
};

class RecordRing {
 public:
  // `bytes` is a power of two.
  explicit RecordRing(size_t bytes);

  // Producer. Room for a frame of `captured` octets behind a header, or nullptr. Published by commit().
  RecordHeader* reserve(uint32_t captured);
  void commit();

  // Consumer. The oldest record, or nullptr; it stays until pop().
  const RecordHeader* front();
  void pop();

 private:
  static constexpr uint32_t kWrap = UINT32_MAX;

  RecordHeader* at(uint64_t position) {
    return reinterpret_cast<RecordHeader*>(bytes_.get() + (position & (size_ - 1)));
  }

  size_t size_;
  std::unique_ptr<std::byte[]> bytes_;
  alignas(64) std::atomic<uint64_t> tail_ = 0;  // producer: rw, consumer: ro
  uint64_t reserved_ = 0;                       // producer: where tail_ will be
  alignas(64) std::atomic<uint64_t> head_ = 0;  // consumer: rw, producer: ro
};

}  // namespace testbed
