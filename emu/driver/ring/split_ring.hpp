// Split virtqueue, driver side (Virtio 1.2, section 2.7). A token is the index of the chain's first
// descriptor.
#pragma once

#include <vector>

#include "emu/driver/ring/ring.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::driver {

class SplitRing final : public Ring {
 public:
  SplitRing(const GuestMemory& memory, const RingPlace& place, const RingOptions& options, uint8_t* state);

  void reset() override;
  bool recover() override;
  uint16_t room() const override { return free_count_; }
  std::optional<uint16_t> acquire(uint16_t descriptors) override;
  void add(uint16_t token, std::span<const Segment> segments) override;
  void add_raw(uint16_t token, std::span<const RawDescriptor> descriptors, const RawOptions& how,
               uint32_t writable) override;
  void publish() override;
  bool kick_wanted() override;
  uint16_t take(std::span<UsedChain> used) override;
  bool used_pending() const override;
  void want_calls(bool on) override;
  uint16_t next_position() const override { return added_; }
  uint16_t resume_position() const override;
  std::vector<ByteRange> device_areas() const override;
  std::vector<ByteRange> marks() const override;
  void clear_marks() override;

 private:
  uint16_t mask() const { return static_cast<uint16_t>(options_.size - 1); }
  uint16_t* avail_ring() const { return reinterpret_cast<uint16_t*>(avail_ + 1); }
  uint16_t* used_event() const { return avail_ring() + options_.size; }
  wire::SplitUsedElement* used_ring() const { return reinterpret_cast<wire::SplitUsedElement*>(used_ + 1); }
  uint16_t* avail_event() const { return reinterpret_cast<uint16_t*>(used_ring() + options_.size); }

  void put_descriptor(uint16_t index, const wire::SplitDesc& descriptor) const;
  void put_direct(uint16_t token, std::span<const Segment> segments);
  void put_table(uint16_t token, std::span<const Segment> segments);
  void offer(uint16_t token, uint16_t head, uint32_t writable, bool raw);
  void free_chain(uint16_t token);
  std::optional<UsedChain> take_one(uint16_t seen);

  wire::SplitDesc* desc_;
  wire::SplitAvail* avail_;
  wire::SplitUsed* used_;
  wire::SplitDesc* tables_;

  // Free descriptors, first in first out: under IN_ORDER they then come in ring order, as the device expects
  // (2.7.8).
  std::vector<uint16_t> free_;
  uint16_t free_head_ = 0, free_count_ = 0;

  uint16_t added_ = 0;      // available index with all that was added
  uint16_t published_ = 0;  // ... that the device can see
  uint16_t told_ = 0;       // ... at the last kick_wanted()
  uint16_t consumed_ = 0;   // used entries taken
  bool calls_ = false;
  std::optional<uint16_t> refused_;              // the used index that claimed too much
  std::optional<wire::SplitUsedElement> batch_;  // IN_ORDER: the entry that stands for several chains
};

}  // namespace testbed::driver
