#include "emu/driver/net/rx_queue.hpp"

#include <algorithm>
#include <cstring>

#include "emu/driver/net/segments.hpp"
#include "vdev/wire/virtio_net.hpp"

namespace testbed::driver {

void RxQueue::started() {
  missing_ = 0;
  std::ranges::fill(returned_, 0);
}

void RxQueue::refill() {
  stale_ = false;
  if (!posting_) return;
  const uint16_t descriptors = ring_->descriptors_for(Segments::count(layout_.slot_size, spec_.rx_cut));
  while (const auto token = ring_->acquire(descriptors))
    ring_->add(*token, Segments(layout_.slots[*token], layout_.slot_size, spec_.rx_cut, true).all());
  publish_and_kick();
}

uint16_t RxQueue::receive(flow::Frame* frames, uint16_t count) {
  if (stale_) refill();
  std::array<UsedChain, flow::kBurst> used;
  const uint16_t chains = ring_->take({used.data(), std::min<size_t>(count, used.size())});
  uint16_t filled = 0;
  for (uint16_t i = 0; i < chains; ++i)
    if (take_chain(used[i], frames[filled], filled)) ++filled;
  stale_ = chains > 0 && filled == 0;
  return filled;
}

bool RxQueue::take_chain(const UsedChain& used, flow::Frame& frame, size_t scratch) {
  note(used);
  if (used.raw) {
    note_raw(used);
    return false;
  }
  const uint32_t length = std::min(used.length, layout_.slot_size);
  returned_[used.token] = std::max(returned_[used.token], length);
  if (missing_ > 0) return append(slot(used.token), length, frame, scratch);
  return begin(used.token, length, frame);
}

bool RxQueue::begin(uint16_t token, uint32_t length, flow::Frame& frame) {
  if (length < header_.length) {
    ++faults_.short_chain;
    return false;
  }
  uint8_t* data = slot(token);
  wire::VirtioNetHeaderMergeable header{};
  std::memcpy(&header, data, header_.length);
  if (header.header.gso_type != 0 || (header.header.flags != 0 && !header_.checksum)) ++faults_.gso;
  const uint16_t buffers = header_.length == sizeof header ? header.buffers : uint16_t{1};
  // "The driver MUST ignore num_buffers without MRG_RXBUF; the device MUST set it to 1" (5.1.6.4)
  if (buffers == 0 || (buffers > 1 && !header_.mergeable)) ++faults_.bad_buffers;
  if (buffers <= 1 || !header_.mergeable) {
    frame = {data + header_.length, length - header_.length, nullptr};
    return true;
  }
  missing_ = static_cast<uint16_t>(buffers - 1);
  gathered_ = 0;
  assembly_.resize(spec_.max_frame);
  lent_.resize(size_t{flow::kBurst} * spec_.max_frame);
  ++missing_;  // append() takes this one off again
  return append(data + header_.length, length - header_.length, frame, 0);
}

bool RxQueue::append(const uint8_t* data, uint32_t length, flow::Frame& frame, size_t scratch) {
  if (gathered_ + length <= spec_.max_frame) std::memcpy(assembly_.data() + gathered_, data, length);
  gathered_ += length;
  if (--missing_ > 0) return false;
  if (gathered_ > spec_.max_frame) {
    ++faults_.too_long;
    return false;
  }
  uint8_t* copy = lent_.data() + scratch * spec_.max_frame;
  std::memcpy(copy, assembly_.data(), gathered_);
  frame = {copy, gathered_, nullptr};
  return true;
}

void RxQueue::add_returned(ByteRanges& ranges) const {
  Vring::add_returned(ranges);
  // The whole buffer: a device may write more than the length it names (Virtio 1.2, 2.7.8.2).
  for (size_t token = 0; token < returned_.size(); ++token)
    if (returned_[token]) add_slot(ranges, static_cast<uint16_t>(token));
}

void RxQueue::add_written(ByteRanges& ranges) const {
  Vring::add_written(ranges);
  for (size_t token = 0; token < returned_.size(); ++token)
    ranges.add(layout_.slots[token], returned_[token]);
}

void RxQueue::add_posted(ByteRanges& ranges) const {
  Vring::add_posted(ranges);
  for (uint16_t token = 0; ring_ && token < ring_->size(); ++token)
    if (ring_->outstanding(token)) add_slot(ranges, token);
}

void RxQueue::clear_ledger() {
  Vring::clear_ledger();
  std::ranges::fill(returned_, 0);
}

}  // namespace testbed::driver
