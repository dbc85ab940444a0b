// What the workers see of a session: immutable, published by the control thread, freed after quiescence; and what
// changes with every burst, which outlives all sessions of the port.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/fd.hpp"
#include "vdev/gate/ring_record.hpp"
#include "vdev/ring/packed_ring.hpp"
#include "vdev/ring/source.hpp"
#include "vdev/ring/split_ring.hpp"

namespace testbed::ring {

// Where a virtqueue's walk stands. Set by the control thread while no view shows the ring, else by the worker that polls
// it (the guest's transmit queue) or has its turn (receive queue).
struct alignas(64) Walk {
  SplitRing::Cursor split;
  PackedRing::Cursor packed;
  std::atomic_flag taken;  // workers that transmit to the same queue take turns

  // worker: written; control: read
  std::atomic<Fault> stuck = Fault::none;  // the ring is not walked until it starts again
  std::atomic<uint32_t> stops = 0;         // how often it got stuck
  std::atomic<Fault> last_fault = Fault::none;
  std::atomic<uint16_t> last_head = 0;
  std::atomic<uint64_t> faults = 0;     // buffers that were given back unused, and rings that stopped
  std::atomic<uint64_t> discarded = 0;  // packets thrown away while the queue was disabled
};

// A virtqueue. Which of the two rings it is says SessionView::packed.
struct Lane {
  bool enabled = false;
  bool discard = false;  // disabled, and what the guest transmits is thrown away
  SplitRing split;
  PackedRing packed;
  std::shared_ptr<Fd> kick;  // empty: the front-end never kicks
  std::shared_ptr<Fd> call;  // empty: it does not want to be called
  gate::RingRecord* record = nullptr;
  Walk* walk = nullptr;

  bool walked() const { return enabled || discard; }
};

struct SessionView {
  Terms terms;
  bool packed = false;
  std::vector<Lane> receive;      // we receive: the guest's transmit queues, by pair
  std::vector<Lane> transmit;     // the guest's receive queues, by pair
  std::vector<uint16_t> outlets;  // pairs whose guest receive queue is enabled
  // What the above points to.
  std::shared_ptr<const GuestMap> map;
  std::shared_ptr<const gate::DirtyLog> log;
};

}  // namespace testbed::ring
