#include "emu/driver/net/net_device.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "emu/driver/memory/state_file.hpp"
#include "vdev/wire/virtio_features.hpp"
#include "vdev/wire/virtio_net.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::driver {

using wire::bit;
using wire::Feature;

Result<std::unique_ptr<NetDevice>> NetDevice::create(GuestMemory& memory, const NetSpec& spec,
                                                     const std::string& state_file) {
  auto layout = lay_out(spec, memory.regions());
  if (!layout) return tl::unexpected(layout.error());
  for (const VringLayout& vring : layout->vrings)
    if (auto ok = check_place(memory, vring.ring, {.size = spec.size, .packed = true}); !ok)
      return tl::unexpected(ok.error());
  auto state = map_state(state_file, layout->vrings.size() * RingState::bytes(spec.size));
  if (!state) return tl::unexpected(state.error());
  return std::unique_ptr<NetDevice>(new NetDevice(memory, spec, std::move(*layout), std::move(*state)));
}

NetDevice::NetDevice(GuestMemory& memory, const NetSpec& spec, NetLayout layout, Mapping state)
    : memory_(memory),
      spec_(spec),
      layout_(std::move(layout)),
      state_(std::move(state)),
      pairs_(spec.queues) {
  for (size_t i = 0; i < layout_.vrings.size(); ++i) {
    uint8_t* ring_state = state_.base() + i * RingState::bytes(spec_.size);
    if (i % 2 == 0)
      rx_.push_back(std::make_unique<RxQueue>(memory_, layout_.vrings[i], ring_state, spec_));
    else
      tx_.push_back(std::make_unique<TxQueue>(memory_, layout_.vrings[i], ring_state, spec_));
  }
}

Result<bool> NetDevice::configure(uint64_t features, std::optional<uint16_t> first, bool fresh) {
  const auto has = [features](Feature feature) { return (features & bit(feature)) != 0; };
  RingOptions options{.size = spec_.size,
                      .packed = has(Feature::RING_PACKED),
                      .indirect = has(Feature::RING_INDIRECT_DESC),
                      .event_idx = has(Feature::RING_EVENT_IDX),
                      .in_order = has(Feature::IN_ORDER)};
  options.first = first.value_or(options.packed ? wire::kPositionStart : uint16_t{0});
  for (const VringLayout& vring : layout_.vrings)
    if (auto ok = check_place(memory_, vring.ring, options); !ok)
      return fail(Errc::unsupported, ok.error().message);
  features_ = features;
  const bool long_header =
      has(Feature::NET_MRG_RXBUF) || has(Feature::VERSION_1) || has(Feature::RING_PACKED);
  const NetHeader header{static_cast<uint32_t>(long_header ? sizeof(wire::VirtioNetHeaderMergeable)
                                                           : sizeof(wire::VirtioNetHeader)),
                         has(Feature::NET_MRG_RXBUF), has(Feature::NET_GUEST_CSUM)};
  bool kept = true;
  for (size_t pair = 0; pair < rx_.size(); ++pair) {
    rx_[pair]->set_header(header);
    tx_[pair]->set_header(header);
    options.table_length = static_cast<uint16_t>(spec_.rx_cut.size() + 1);
    kept &= rx_[pair]->configure(options, fresh);
    options.table_length = static_cast<uint16_t>(spec_.tx_cut.size() + 1);
    kept &= tx_[pair]->configure(options, fresh);
  }
  return kept;
}

void NetDevice::start(uint16_t pairs) {
  TB_ASSERT(pairs >= 1 && pairs <= rx_.size());
  pairs_ = pairs;
  for (size_t i = 0; i < vrings(); ++i) vring(i).stillness().started();
  for (size_t pair = 0; pair < rx_.size(); ++pair) {
    rx_[pair]->ring()->want_calls(false);
    tx_[pair]->ring()->want_calls(false);
    rx_[pair]->refill();
    rx_[pair]->kick();
    tx_[pair]->kick();
  }
  up_.store(true, std::memory_order_release);
}

void NetDevice::stop() {
  up_.store(false, std::memory_order_release);
}

bool NetDevice::arm() {
  for (size_t pair = 0; pair < pairs_; ++pair) rx_[pair]->ring()->want_calls(true);
  return std::ranges::none_of(rx_.begin(), rx_.begin() + pairs_,
                              [](const auto& queue) { return queue->ring()->used_pending(); });
}

void NetDevice::disarm() {
  for (size_t pair = 0; pair < pairs_; ++pair) {
    rx_[pair]->ring()->want_calls(false);
    rx_[pair]->calls();
  }
}

uint16_t NetDevice::reserve(uint16_t queue, flow::Frame* frames, uint16_t count) {
  return link_up() && queue < pairs_ ? tx_[queue]->reserve(frames, count) : uint16_t{0};
}

uint16_t NetDevice::send(uint16_t queue, flow::Frame* frames, uint16_t count) {
  tx_[queue]->send(frames, count);
  return count;
}

uint16_t NetDevice::receive(uint16_t queue, flow::Frame* frames, uint16_t count) {
  return link_up() && queue < pairs_ ? rx_[queue]->receive(frames, count) : uint16_t{0};
}

void NetDevice::release(uint16_t queue, flow::Frame*, uint16_t) {
  rx_[queue]->release();
}

}  // namespace testbed::driver
