// What a session's messages say about its virtqueues, and what the gate does when one of them starts: it
// finds the position of a packed ring (packed_resume.hpp) and keeps a descriptor of the kick and a mapping of
// the ring for the worker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "vdev/gate/dirty_log.hpp"
#include "vdev/gate/guest_memory.hpp"
#include "vdev/gate/packed_ring.hpp"
#include "vdev/gate/port_memory.hpp"

namespace testbed::gate {

// Guest-physical.
struct Written {
  uint64_t at, length;
};

struct Virtqueue {
  uint16_t size = 0;
  std::optional<wire::VringAddr> address;
  std::optional<uint16_t> base;        // said by the front-end and not yet acted upon
  std::shared_ptr<Fd> kick;            // our own duplicate; empty: the front-end wants to be polled
  std::shared_ptr<PackedRing> packed;  // empty: split, or its memory could not be mapped
  // What was written when it started and is not in a log yet: QEMU names the log after it has started the
  // rings.
  std::vector<Written> unlogged;
};

// Where a ring goes on, for the ring.resumed event.
struct Resumption {
  uint16_t queue;
  uint16_t position;
  bool wrap;
  size_t committed;
  std::string_view source;
  uint16_t base;  // what the front-end had said
};

class Virtqueues {
 public:
  Virtqueues(PortMemory& memory, uint16_t count) : memory_(memory), queues_(count) {}

  uint16_t count() const { return static_cast<uint16_t>(queues_.size()); }
  const Virtqueue& queue(uint16_t index) const { return queues_[index]; }
  const GuestMemory& guest_memory() const { return guest_; }
  // Empty: there is none yet.
  const std::shared_ptr<const DirtyLog>& log() const { return log_; }

  // A request that passed the rules, before the back-end gets it. Errc::protocol: it cannot be.
  Result<void> observe(const Message& message);
  // For a SET_VRING_KICK, before the back-end gets it: how the ring goes on. nullopt: as the front-end said,
  // from its start.
  std::optional<Resumption> start(uint16_t index, uint64_t features);
  // Another memory table is in force: rings that are looked at are looked at there.
  void remap();
  // The back-end's reply to GET_VRING_BASE: the queue has stopped there.
  void stopped(uint16_t index, uint16_t position);

 private:
  std::optional<Resumption> start_packed(uint16_t index, uint16_t base, uint64_t features);
  std::optional<Resumption> start_split(uint16_t index, uint16_t base, uint64_t features);
  // Of the used ring or the packed descriptors, `length` octets at `offset` were written.
  void wrote(Virtqueue& queue, uint64_t features, uint64_t offset, uint64_t length) const;
  void log_written(Virtqueue& queue) const;

  PortMemory& memory_;
  GuestMemory guest_;
  std::shared_ptr<const DirtyLog> log_;
  std::vector<Virtqueue> queues_;
};

}  // namespace testbed::gate
