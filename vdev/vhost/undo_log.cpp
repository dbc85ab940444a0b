#include "vdev/vhost/undo_log.hpp"

#include <rte_vhost.h>

#include <algorithm>

namespace testbed::vhost {

using gate::DescWord;
using gate::PackedRing;
using gate::RingRecord;

uint16_t begin_burst(const PackedRing& ring, RingRecord& record, uint16_t buffers, uint32_t octets) {
  const uint16_t position = record.state.load(std::memory_order_relaxed).position;
  const uint16_t limit = std::min<uint16_t>(RingRecord::kUndo, ring.size());
  uint16_t slot = position & ~wire::kPositionWrap;
  uint16_t wrap = position & wire::kPositionWrap;
  uint16_t logged = 0, whole = 0, count = 0;
  uint32_t room = 0;
  while (logged < limit && (count < buffers || room < octets)) {
    if (!ring.available(slot | wrap)) break;
    const DescWord word = ring.word(slot);
    record.undo[logged++] = word;
    room += word.length;
    if ((word.flags & wire::kDescNext) == 0) {
      ++count;
      whole = logged;
    }
    if (++slot == ring.size()) {
      slot = 0;
      wrap ^= wire::kPositionWrap;
    }
  }
  if (logged == 0) return 0;
  // A chain longer than the log: what is there of it is better than nothing.
  record.set_burst(position, count > 0 ? whole : logged, ring.size());
  return std::max<uint16_t>(count, 1);
}

void end_burst(int vid, uint16_t vring, const PackedRing& ring, RingRecord& record) {
  uint16_t available, used;
  if (rte_vhost_get_vring_base(vid, vring, &available, &used) == 0) record.set_position(used, ring.size());
}

}  // namespace testbed::vhost
