// What the workers see of a session: immutable, published by the control thread, freed after quiescence.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/fd.hpp"
#include "vdev/gate/dirty_log.hpp"
#include "vdev/gate/packed_ring.hpp"
#include "vdev/gate/ring_record.hpp"

namespace testbed::vhost {

struct QueueView {
  bool enabled = false;
  bool discard = false;  // disabled, and what the guest transmits is thrown away
  uint16_t size = 0;
  std::shared_ptr<gate::PackedRing> ring;  // packed only
  gate::RingRecord* record = nullptr;      // packed only; in the port's memory, outlives the view
  std::shared_ptr<Fd> kick;                // empty: the front-end never kicks
  uint64_t event_gpa = 0;                  // where the device says whether it wants kicks; 0: in no region
  uint32_t event_size = 0;

  bool walked() const { return enabled || discard; }
};

struct SessionView {
  int vid = -1;
  uint64_t serial = 0;     // differs from that of any other view of the port
  uint32_t max_frame = 0;  // octets; what the MTU allows
  bool mergeable = false;
  bool packed = false;
  std::shared_ptr<const gate::DirtyLog> log;  // empty: nothing is logged
  std::vector<QueueView> receive;             // we receive: the guest's transmit queues, by pair
  std::vector<QueueView> transmit;            // the guest's receive queues, by pair
  std::vector<uint16_t> outlets;              // pairs whose guest receive queue is enabled
};

}  // namespace testbed::vhost
