// The driver's side of a virtqueue. Chains are known by tokens (0..size-1): a token is taken with acquire(),
// stays with its chain while the device has it, and is free again when take() returned it. One thread.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "emu/driver/memory/guest_memory.hpp"
#include "emu/driver/ring/chain.hpp"
#include "emu/driver/ring/ring_state.hpp"

namespace testbed::driver {

class Ring {
 public:
  // `memory` outlives the ring; `place` lies in it (check_place()), `state` has RingState::bytes(size).
  Ring(const GuestMemory& memory, const RingPlace& place, const RingOptions& options, uint8_t* state)
      : memory_(memory), place_(place), options_(options), state_(state, options.size) {}
  virtual ~Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  const RingOptions& options() const { return options_; }
  const RingPlace& place() const { return place_; }
  uint16_t size() const { return options_.size; }
  bool outstanding(uint16_t token) const { return state_.record(token).outstanding; }
  uint16_t outstanding() const { return outstanding_; }
  const RingFaults& faults() const { return faults_; }
  // Descriptors a chain of this many segments takes.
  uint16_t descriptors_for(size_t segments) const {
    return options_.indirect && segments > 1 ? 1 : static_cast<uint16_t>(segments);
  }

  // Empties the ring: as after a reset of the device, at position options().first.
  virtual void reset() = 0;
  // Takes over what a killed driver left. False: the state is not one of such a ring; reset() is what
  // remains.
  virtual bool recover() = 0;

  // Free descriptors.
  virtual uint16_t room() const = 0;
  // A token for a chain of `descriptors` on the ring. Nothing when there is no room.
  virtual std::optional<uint16_t> acquire(uint16_t descriptors) = 0;
  // Hands the chain over; the device may see it at once or only after publish(). Readable segments come
  // first.
  virtual void add(uint16_t token, std::span<const Segment> segments) = 0;
  // The same without any rule; `token` was acquired with as many descriptors as there are here. `writable` is
  // what the device may write to, for the ledger's arithmetic.
  virtual void add_raw(uint16_t token, std::span<const RawDescriptor> descriptors, const RawOptions& how,
                       uint32_t writable) = 0;
  virtual void publish() = 0;
  // Whether the device asked to be told of what was published since the last call.
  virtual bool kick_wanted() = 0;
  // Returned chains, in the order of their return. Their tokens are free again.
  virtual uint16_t take(std::span<UsedChain> used) = 0;
  // Whether take() would return something.
  virtual bool used_pending() const = 0;
  // Asks for calls (from the next returned chain on), or for none.
  virtual void want_calls(bool on) = 0;

  // Positions as vhost-user carries them (split: an index; packed: slot and wrap counter): where the driver
  // will make the next chain available, and where a device that starts now has to go on: behind all that was
  // returned, taken or not.
  virtual uint16_t next_position() const = 0;
  virtual uint16_t resume_position() const = 0;

  // Where the device may write: the used ring or the descriptors, and its event word.
  virtual std::vector<ByteRange> device_areas() const = 0;
  // Of these, what the device wrote to return the chains taken since clear_marks(). (What it did to a packed
  // ring cannot be seen in memory once the driver has used the descriptor again.)
  virtual std::vector<ByteRange> marks() const = 0;
  virtual void clear_marks() = 0;

 protected:
  // Checks and books one returned chain. Nothing: not one of ours (counted).
  std::optional<UsedChain> give_back(uint16_t token, uint32_t length);

  const GuestMemory& memory_;
  const RingPlace place_;
  const RingOptions options_;
  RingState state_;
  RingFaults faults_;
  uint16_t outstanding_ = 0;
  uint16_t marks_from_ = 0;   // place on the ring of the first return since clear_marks()
  uint64_t marks_count_ = 0;  // places since then
};

// Errc::invalid_argument: the size is none for this format, an area is misaligned or not in guest memory.
Result<void> check_place(const GuestMemory& memory, const RingPlace& place, const RingOptions& options);
// Octets of the three parts.
struct RingSizes {
  uint64_t descriptors, available, used;
};
RingSizes ring_sizes(const RingOptions& options);

// Places must have been checked.
std::unique_ptr<Ring> make_ring(const GuestMemory& memory, const RingPlace& place, const RingOptions& options,
                                uint8_t* state);

}  // namespace testbed::driver
