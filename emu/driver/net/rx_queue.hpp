// A receive queue: posts buffers, gathers merged ones into frames, lends them out.
#pragma once

#include <array>
#include <vector>

#include "emu/driver/net/vring.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::driver {

// The header before every frame, as negotiated.
struct NetHeader {
  uint32_t length = 12;
  bool mergeable = false;
  bool checksum = false;  // frames whose checksum is missing, or was verified, may come
};

struct RxFaults {
  uint64_t short_chain = 0;  // shorter than the header
  uint64_t bad_buffers = 0;  // num_buffers is 0, or more than 1 without MRG_RXBUF
  uint64_t too_long = 0;     // a merged frame above max_frame
  uint64_t gso = 0;          // offload fields nobody negotiated
};

class RxQueue final : public Vring {
 public:
  RxQueue(const GuestMemory& memory, const VringLayout& layout, uint8_t* state, const NetSpec& spec)
      : Vring(memory, layout, state), spec_(spec), returned_(spec.size) {}

  void set_header(const NetHeader& header) { header_ = header; }
  // Whether free buffers are posted. A guest that stops refilling.
  void set_posting(bool posting) {
    posting_ = posting;
    if (ring_) refill();
  }
  const RxFaults& rx_faults() const { return faults_; }

  // Posts every free buffer.
  void refill();
  uint16_t receive(flow::Frame* frames, uint16_t count);
  void release() { refill(); }

  void add_returned(ByteRanges& ranges) const override;
  void add_written(ByteRanges& ranges) const override;
  void add_posted(ByteRanges& ranges) const override;
  void clear_ledger() override;

 protected:
  void started() override;

 private:
  bool take_chain(const UsedChain& used, flow::Frame& frame, size_t scratch);
  bool begin(uint16_t token, uint32_t length, flow::Frame& frame);
  bool append(const uint8_t* data, uint32_t length, flow::Frame& frame, size_t scratch);
  void add_slot(ByteRanges& ranges, uint16_t token) const {
    ranges.add(layout_.slots[token], layout_.slot_size);
  }

  const NetSpec& spec_;
  NetHeader header_;
  bool posting_ = true;
  bool stale_ = false;  // buffers came back that nobody will release
  RxFaults faults_;
  // By token: the most octets its buffer came back with since clear_ledger().
  std::vector<uint32_t> returned_;
  // A frame in several buffers (5.1.6.3.1) is put together here; not all of its buffers need come in one
  // burst.
  uint16_t missing_ = 0;
  uint32_t gathered_ = 0;
  std::vector<uint8_t> assembly_;
  std::vector<uint8_t> lent_;  // room for one burst of merged frames
};

}  // namespace testbed::driver
