// A virtio network device's driver: up to 128 queue pairs in one guest memory, as the transport of a flow
// engine. Everything but link_up() and stop() is for the thread that polls the engine.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "emu/driver/net/rx_queue.hpp"
#include "emu/driver/net/tx_queue.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::driver {

class NetDevice final : public flow::Transport {
 public:
  // Errc::invalid_argument: what lay_out() or check_place() find. `memory` outlives the device. `state_file`
  // may be empty.
  static Result<std::unique_ptr<NetDevice>> create(GuestMemory& memory, const NetSpec& spec,
                                                   const std::string& state_file);

  const NetSpec& spec() const { return spec_; }
  const NetLayout& layout() const { return layout_; }
  GuestMemory& memory() { return memory_; }
  Vring& vring(size_t index) {
    return index % 2 == 0 ? static_cast<Vring&>(*rx_[index / 2]) : *tx_[index / 2];
  }
  size_t vrings() const { return layout_.vrings.size(); }
  RxQueue& rx(size_t pair) { return *rx_[pair]; }
  TxQueue& tx(size_t pair) { return *tx_[pair]; }

  // Rings and headers as these features want them (Virtio 1.2, 5.1.6.1). `first` is where an empty ring
  // begins; nothing means as after a reset. False when some ring begins empty: after `fresh`, with another
  // format, or without anything left by an earlier driver. Errc::unsupported: these features make no ring of
  // this size or place.
  Result<bool> configure(uint64_t features, std::optional<uint16_t> first, bool fresh);
  uint64_t features() const { return features_; }

  // The link comes up with `pairs` in use: buffers are posted, every ring is kicked.
  void start(uint16_t pairs);
  // Any thread: it goes down. No ring is touched any more once the thread has come back from where it was.
  void stop();
  void set_pairs(uint16_t pairs) { pairs_ = pairs; }

  // Before the caller sleeps: asks for calls. False: something has come meanwhile.
  bool arm();
  void disarm();

  uint16_t queues() const override { return pairs_; }
  uint32_t max_frame() const override { return spec_.max_frame; }
  bool link_up() const override { return up_.load(std::memory_order_relaxed); }
  uint16_t reserve(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  uint16_t send(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  uint16_t receive(uint16_t queue, flow::Frame* frames, uint16_t count) override;
  void release(uint16_t queue, flow::Frame* frames, uint16_t count) override;

 private:
  NetDevice(GuestMemory& memory, const NetSpec& spec, NetLayout layout, Mapping state);

  GuestMemory& memory_;
  const NetSpec spec_;
  const NetLayout layout_;
  Mapping state_;
  std::vector<std::unique_ptr<RxQueue>> rx_;
  std::vector<std::unique_ptr<TxQueue>> tx_;
  uint64_t features_ = 0;
  uint16_t pairs_ = 1;
  std::atomic<bool> up_ = false;
};

}  // namespace testbed::driver
