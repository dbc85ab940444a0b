// Packed virtqueue, driver side (Virtio 1.2, section 2.8). A token is the chain's buffer id. Positions are
// slots with the wrap counter in bit 15, as vhost-user carries them.
#pragma once

#include <vector>

#include "emu/driver/ring/ring.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::driver {

class PackedRing final : public Ring {
 public:
  PackedRing(const GuestMemory& memory, const RingPlace& place, const RingOptions& options, uint8_t* state);

  void reset() override;
  bool recover() override;
  uint16_t room() const override { return free_slots_; }
  std::optional<uint16_t> acquire(uint16_t descriptors) override;
  void add(uint16_t token, std::span<const Segment> segments) override;
  void add_raw(uint16_t token, std::span<const RawDescriptor> descriptors, const RawOptions& how,
               uint32_t writable) override;
  void publish() override {}  // a chain is available when its first descriptor says so
  bool kick_wanted() override;
  uint16_t take(std::span<UsedChain> used) override;
  bool used_pending() const override { return is_used(consumed_); }
  void want_calls(bool on) override;
  uint16_t next_position() const override { return next_; }
  uint16_t resume_position() const override;
  std::vector<ByteRange> device_areas() const override;
  std::vector<ByteRange> marks() const override;
  void clear_marks() override;

 private:
  struct Slot {
    uint64_t address;
    uint32_t length;
    uint16_t id, flags;
  };

  uint16_t advance(uint16_t position, uint16_t count) const;
  uint16_t ring_flags(uint16_t position) const;
  bool is_used(uint16_t position) const;
  void fill(uint16_t position, const Slot& slot) const;  // all but the flags
  void put_table(uint16_t token, std::span<const Segment> segments) const;
  // Fills the slots of a chain from next_ on, its first slot's flags last, and moves on.
  template <typename SlotAt>
  void offer(uint16_t token, uint16_t count, uint32_t writable, bool raw, const SlotAt& slot_at);
  std::optional<UsedChain> take_one();
  // The position behind what the used descriptor at `position` stands for.
  uint16_t behind_used(uint16_t position) const;

  wire::PackedDesc* desc_;
  wire::PackedEvent* driver_event_;
  wire::PackedEvent* device_event_;
  wire::PackedDesc* tables_;

  std::vector<uint16_t> ids_;  // free, first in first out
  uint16_t ids_head_ = 0, ids_count_ = 0;
  uint16_t free_slots_ = 0;
  uint16_t next_ = wire::kPositionStart;      // the next descriptor to make available
  uint16_t consumed_ = wire::kPositionStart;  // where the next used descriptor will be
  uint16_t untold_ = 0;                       // descriptors since the last kick_wanted()
  bool calls_ = false;
  std::optional<uint16_t> refused_;        // the position where it claimed too much
  std::optional<wire::PackedDesc> batch_;  // IN_ORDER: the descriptor that stands for several chains
};

}  // namespace testbed::driver
