// A guest with one virtqueue: memory in several regions, of which neighbours in guest-physical addresses are
// none in its file; the emulated driver's ring at one end, ours at the other.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "emu/driver/memory/guest_memory.hpp"
#include "emu/driver/memory/state_file.hpp"
#include "emu/driver/ring/ring.hpp"
#include "vdev/gate/dirty_log.hpp"
#include "vdev/gate/ring_record.hpp"
#include "vdev/ring/packed_ring.hpp"
#include "vdev/ring/source.hpp"
#include "vdev/ring/split_ring.hpp"

namespace testbed::ring::test {

using Octets = std::vector<std::byte>;

struct GuestOptions {
  driver::RingOptions ring;
  uint16_t header = 12;
  bool mergeable = false;
  bool logged = false;
};

class Guest {
 public:
  // Where frames lie: three regions in a row.
  static constexpr uint64_t kData = 0x10000000, kDataRegion = 0x8000, kDataSize = 3 * kDataRegion;

  explicit Guest(const GuestOptions& options);
  ~Guest();
  Guest(const Guest&) = delete;

  template <typename Ring>
  Ring make_ring() const {
    const RingTraits traits{options.ring.event_idx, options.ring.indirect};
    const RingLog where{log.get(), options.ring.packed ? place.descriptors : place.used, place.used};
    return *Ring::place(*map, address, options.ring.size, traits, where);
  }
  driver::Ring& driver() const { return *driver_; }
  // What a kill of everybody leaves of `other` as it is now: memory, record, and the driver's state. Same
  // options.
  void take_over(const Guest& other);

  // Guest memory by guest-physical address, over the borders of regions.
  void write(uint64_t gpa, std::span<const std::byte> octets) const;
  Octets read(uint64_t gpa, uint64_t length) const;

  // All of the memory, and whether it still is that.
  void copy_to(Octets& image) const;
  bool is(const Octets& image) const;
  // Puts octets into an image: what a device is expected to write.
  void expect(Octets& image, uint64_t gpa, std::span<const std::byte> octets) const;
  template <typename T>
  void expect_value(Octets& image, uint64_t gpa, T value) const {
    expect(image, gpa, std::as_bytes(std::span(&value, 1)));
  }

  // Pages marked in the log since the last call, by number.
  std::vector<uint64_t> take_dirty() const;
  // Pages that hold what expect() was told since the last call.
  std::vector<uint64_t> take_expected() const;
  int log_fd() const { return log_fd_.get(); }
  static constexpr uint64_t kLogOctets = 0x4000;  // one bit a page: 512 MiB

  // A descriptor chain that nobody checks. As driver::Ring::add_raw().
  uint16_t post_raw(std::vector<driver::RawDescriptor> descriptors, const driver::RawOptions& how = {}) const;

  const GuestOptions options;
  driver::GuestMemory memory;
  driver::RingPlace place;
  wire::VringAddr address;
  gate::GuestMemory table;
  std::shared_ptr<const GuestMap> map;
  std::shared_ptr<const gate::DirtyLog> log;  // empty: nothing is logged
  Terms terms;

  // SET_MEM_TABLE with this memory.
  gate::Message table_message() const;

  // Shared with children of this process, as a port's memory is.
  gate::RingRecord& record() const { return *record_; }

 private:
  driver::Mapping state_, record_file_, log_file_;
  gate::RingRecord* record_;
  std::unique_ptr<driver::Ring> driver_;
  Fd log_fd_;
  mutable std::set<uint64_t> expected_;
};

// The used descriptors or elements the device writes next, after the specification: what give-backs at a
// position do to the ring. Counts positions its own way.
class UsedModel {
 public:
  UsedModel(const Guest& guest) : guest_(guest), position_(guest.options.ring.first) {}

  // One buffer of `slots` slots with that id is given back.
  void expect(Octets& image, uint16_t id, uint32_t length, uint16_t slots);
  uint16_t position() const { return position_; }
  // Positions passed since the last call, one for each entry (split) or slot (packed).
  std::vector<uint16_t> take_passed() { return std::exchange(passed_, {}); }

 private:
  const Guest& guest_;
  uint16_t position_;
  std::vector<uint16_t> passed_;
};

}  // namespace testbed::ring::test
