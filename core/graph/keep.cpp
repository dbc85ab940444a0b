#include "core/graph/keep.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/assert.hpp"

namespace testbed {
namespace {

void read_mbuf(const void* payload, uint32_t offset, std::byte* to, uint32_t length) {
  auto* segment = static_cast<const rte_mbuf*>(payload);
  for (; offset >= segment->data_len; segment = segment->next) offset -= segment->data_len;
  while (length > 0) {
    const uint32_t here = std::min<uint32_t>(length, segment->data_len - offset);
    std::memcpy(to, rte_pktmbuf_mtod_offset(segment, const std::byte*, offset), here);
    to += here;
    length -= here;
    offset = 0;
    segment = segment->next;
  }
}

void read_memory(const void* payload, uint32_t offset, std::byte* to, uint32_t length) {
  std::memcpy(to, static_cast<const std::byte*>(payload) + offset, length);
}

// By PayloadKind. control: rw before the first packet; dataplane: ro
std::array<PayloadReader, 3> readers = {read_mbuf, nullptr, read_memory};

}  // namespace

// Octets [offset, offset + length) of the frame: the head from the worker's scratch, the rest from where it
// lies.
void read_frame(const Packet& packet, uint32_t offset, std::byte* to, uint32_t length) {
  if (offset < packet.head_length) {
    const uint32_t here = std::min<uint32_t>(length, packet.head_length - offset);
    std::memcpy(to, packet.head + offset, here);
    offset += here;
    to += here;
    length -= here;
  }
  if (length == 0) return;
  const PayloadReader reader = readers[static_cast<size_t>(packet.kind)];
  TB_ASSERT(reader != nullptr);
  reader(packet.payload, offset, to, length);
}

uint32_t copy_frame(const Packet& packet, std::byte* to, uint32_t capacity) {
  const uint32_t length = std::min(packet.length, capacity);
  read_frame(packet, 0, to, length);
  return length;
}

rte_mbuf* copy_to_mbuf(const Packet& packet, rte_mempool* pool) {
  rte_mbuf* first = rte_pktmbuf_alloc(pool);
  rte_mbuf* last = first;
  for (uint32_t offset = 0; last && offset < packet.length;) {
    const uint32_t here = std::min<uint32_t>(packet.length - offset, rte_pktmbuf_tailroom(last));
    read_frame(packet, offset, rte_pktmbuf_mtod(last, std::byte*), here);
    last->data_len = static_cast<uint16_t>(here);
    first->pkt_len += here;
    offset += here;
    if (offset == packet.length) break;
    last->next = rte_pktmbuf_alloc(pool);
    last = last->next;
    if (last) ++first->nb_segs;
  }
  if (first && !last) {
    rte_pktmbuf_free(first);
    return nullptr;
  }
  return first;
}

void set_payload_reader(PayloadKind kind, PayloadReader reader) {
  readers[static_cast<size_t>(kind)] = reader;
}

}  // namespace testbed
