// A transmit queue: one buffer per token, a header of zeros, the frame behind it.
#pragma once

#include "emu/driver/net/rx_queue.hpp"

namespace testbed::driver {

class TxQueue final : public Vring {
 public:
  TxQueue(const GuestMemory& memory, const VringLayout& layout, uint8_t* state, const NetSpec& spec)
      : Vring(memory, layout, state), spec_(spec) {}

  void set_header(const NetHeader& header) { header_ = header; }

  // Buffers for frames of frames[i].length octets; as many leading ones as there is room for.
  uint16_t reserve(flow::Frame* frames, uint16_t count);
  void send(const flow::Frame* frames, uint16_t count);
  // Takes what the device is done with.
  void reclaim();

 private:
  const NetSpec& spec_;
  NetHeader header_;
};

}  // namespace testbed::driver
