#include "emu/load/virtio_port.hpp"

#include <rte_errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "emu/load/device.hpp"
#include "emu/load/quiet_moment.hpp"

namespace testbed::load {

using flow::Frame;
using flow::kBurst;
using flow::kMaxFrame;

namespace {

constexpr uint32_t kRoom = 2048;  // of a buffer when frames may take several
constexpr uint32_t kOverhead =
    12 + 4;  // struct virtio_net_hdr_mrg_rxbuf, and the VLAN tag that the driver reckons with
constexpr unsigned kCache = 64;  // mbufs the worker keeps at hand

Error system_error(const std::string& what, int error) {
  const int number = error < 0 ? -error : error;
  // What the driver finds wrong with our parameters stays wrong; the rest may be the backend leaving in the
  // middle.
  const bool ours = number == EINVAL || number == ENOTSUP || number == ENOMEM;
  return {ours ? Errc::invalid_argument : Errc::system, what + ": " + rte_strerror(number)};
}

Result<Pool> make_pool(const std::string& name, unsigned count, uint32_t buffer) {
  Pool pool(rte_pktmbuf_pool_create(name.c_str(), count, kCache, 0,
                                    static_cast<uint16_t>(RTE_PKTMBUF_HEADROOM + buffer), SOCKET_ID_ANY));
  if (pool) return pool;
  return fail(Errc::exhausted, "no memory for " + std::to_string(count) + " packet buffers of " +
                                   std::to_string(buffer) + " bytes (" + rte_strerror(rte_errno) +
                                   "); start with a larger --memory-mb");
}

}  // namespace

VirtioPort::VirtioPort(const FrontendOptions& options, std::string device)
    : device_(std::move(device)),
      path_(options.path),
      queues_(options.queues),
      max_frame_(options.max_frame),
      buffer_(options.mergeable ? kRoom : std::max(kRoom, options.max_frame + kOverhead)),
      held_(options.packed && options.vectorized ? options.queues : 0),
      messages_(options.path) {
  if (max_frame_ <= kRoom) return;
  tx_scratch_ = std::make_unique<uint8_t[]>(size_t{kBurst} * kMaxFrame);
  rx_scratch_ = std::make_unique<uint8_t[]>(size_t{kBurst} * kMaxFrame);
}

Result<std::unique_ptr<VirtioPort>> VirtioPort::open(const FrontendOptions& options,
                                                     const std::string& device) {
  std::unique_ptr<VirtioPort> port(new VirtioPort(options, device));
  auto opened = port->make_pools(options);
  if (opened) opened = port->probe(options);
  if (opened) opened = port->configure(options);
  if (opened) opened = port->start();
  if (!opened) return tl::unexpected(opened.error());
  return port;
}

VirtioPort::~VirtioPort() {
  access_.leave();
  if (port_ == RTE_MAX_ETHPORTS) return;
  for (HeldBuffers& held : held_) held.mark();  // closing frees what the rings remember, too
  at_quiet_moment([this] {
    // Elsewhere this fails while the callback runs.
    if (callback_) rte_eth_dev_callback_unregister(port_, RTE_ETH_EVENT_INTR_LSC, on_link_change, this);
    rte_eth_dev_stop(port_);
    rte_eth_dev_close(port_);
  });
  remove_device(device_);
}

// Two pools, so that a sender that fills its rings cannot leave the receiver without buffers. The one for
// sending holds what full rings hold: the driver takes sent buffers back only when it is given new ones.
Result<void> VirtioPort::make_pools(const FrontendOptions& options) {
  const unsigned ring = unsigned{options.queues} * options.queue_size;
  const unsigned segments = (max_frame_ + buffer_ - 1) / buffer_;
  const unsigned at_hand = 2 * kCache + kBurst * segments;
  const auto held = static_cast<unsigned>(held_.size() * HeldBuffers::kHeld);
  auto rx = make_pool(device_ + "_rx", ring + options.spare_buffers + at_hand + held, buffer_);
  if (!rx) return tl::unexpected(rx.error());
  auto tx = make_pool(device_ + "_tx", ring * segments + at_hand, buffer_);
  if (!tx) return tl::unexpected(tx.error());
  rx_pool_ = std::move(*rx);
  tx_pool_ = std::move(*tx);
  return {};
}

Result<void> VirtioPort::probe(const FrontendOptions& options) {
  if (auto added = add_device(device_, device_arguments(options), options); !added) return added;
  if (const int error = rte_eth_dev_get_port_by_name(device_.c_str(), &port_); error < 0)
    return tl::unexpected(system_error("device " + device_, error));
  return {};
}

Result<void> VirtioPort::configure(const FrontendOptions& options) {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(port_, &info); error < 0)
    return tl::unexpected(system_error("device info", error));
  if (info.max_rx_queues < queues_)
    return fail(Errc::refused, path_ + ": the backend has " + std::to_string(info.max_rx_queues) +
                                   " queue pairs, not " + std::to_string(queues_));
  rte_eth_conf conf{};
  conf.intr_conf.lsc = 1;
  conf.intr_conf.rxq = 1;
  conf.rxmode.mtu = std::min<uint32_t>(max_frame_ - RTE_ETHER_HDR_LEN, info.max_mtu);
  if (max_frame_ + kOverhead > buffer_)
    conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_SCATTER & info.rx_offload_capa;
  conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS & info.tx_offload_capa;
  if (const int error = rte_eth_dev_configure(port_, queues_, queues_, &conf); error < 0)
    return tl::unexpected(system_error("configuring " + path_, error));
  for (uint16_t q = 0; q < queues_; ++q) {
    int error = rte_eth_rx_queue_setup(port_, q, options.queue_size, SOCKET_ID_ANY, nullptr, rx_pool_.get());
    if (error == 0) error = rte_eth_tx_queue_setup(port_, q, options.queue_size, SOCKET_ID_ANY, nullptr);
    if (error < 0) return tl::unexpected(system_error("queue " + std::to_string(q) + " of " + path_, error));
  }
  return {};
}

Result<void> VirtioPort::start() {
  if (const int error = rte_eth_dev_callback_register(port_, RTE_ETH_EVENT_INTR_LSC, on_link_change, this);
      error < 0)
    return tl::unexpected(system_error("link callback", error));
  callback_ = true;
  if (const int error = rte_eth_dev_start(port_); error < 0)
    return tl::unexpected(system_error("starting " + path_, error));
  for (uint16_t q = 0; q < queues_; ++q)
    if (const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port_, q); fd >= 0) call_fds_.push_back(fd);
  follow_link();
  return {};
}

int VirtioPort::on_link_change(uint16_t, rte_eth_event_type, void* self, void*) {
  static_cast<VirtioPort*>(self)->follow_link();
  return 0;
}

void VirtioPort::follow_link() {
  rte_eth_link link{};
  const bool up = rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
  if (up) messages_.enable_forgotten();
  access_.follow(up);
}

uint16_t VirtioPort::reserve(uint16_t, Frame* frames, uint16_t count) {
  rte_mbuf* mbufs[kBurst];
  if (rte_pktmbuf_alloc_bulk(tx_pool_.get(), mbufs, count) < 0) return 0;
  for (uint16_t i = 0; i < count; ++i) {
    frames[i].handle = mbufs[i];
    frames[i].data = frames[i].length <= buffer_ ? rte_pktmbuf_mtod(mbufs[i], uint8_t*)
                                                 : tx_scratch_.get() + size_t{i} * kMaxFrame;
  }
  return count;
}

// Copies a frame that is too long for one buffer into as many as it takes. False when there are not enough.
bool VirtioPort::scatter(rte_mbuf* first, const Frame& frame) {
  rte_mbuf* last = first;
  for (uint32_t at = 0;;) {
    const uint32_t part = std::min(buffer_, frame.length - at);
    std::memcpy(rte_pktmbuf_mtod(last, uint8_t*), frame.data + at, part);
    last->data_len = static_cast<uint16_t>(part);
    at += part;
    if (at == frame.length) break;
    last->next = rte_pktmbuf_alloc(tx_pool_.get());
    if (!last->next) return false;
    last = last->next;
    ++first->nb_segs;
  }
  first->pkt_len = frame.length;
  return true;
}

uint16_t VirtioPort::send(uint16_t queue, Frame* frames, uint16_t count) {
  rte_mbuf* mbufs[kBurst];
  for (uint16_t i = 0; i < count; ++i) mbufs[i] = static_cast<rte_mbuf*>(frames[i].handle);
  uint16_t ready = 0;
  for (; ready < count; ++ready) {
    rte_mbuf* mbuf = mbufs[ready];
    if (frames[ready].length > buffer_) {
      if (!scatter(mbuf, frames[ready])) break;
    } else {
      mbuf->data_len = static_cast<uint16_t>(frames[ready].length);
      mbuf->pkt_len = frames[ready].length;
    }
  }
  const uint16_t sent = access_.may_send() ? rte_eth_tx_burst(port_, queue, mbufs, ready) : uint16_t{0};
  if (sent < count) rte_pktmbuf_free_bulk(mbufs + sent, count - sent);
  return sent;
}

uint16_t VirtioPort::receive(uint16_t queue, Frame* frames, uint16_t count) {
  if (!access_.may_receive()) return 0;
  if (!held_.empty()) held_[queue].drop_marks();
  rte_mbuf* mbufs[kBurst];
  const uint16_t received = rte_eth_rx_burst(port_, queue, mbufs, count);
  if (received == 0) {
    found_nothing();
    return 0;
  }
  empty_queues_ = 0;
  for (uint16_t i = 0; i < received; ++i) {
    rte_mbuf* mbuf = mbufs[i];
    frames[i] = {rte_pktmbuf_mtod(mbuf, uint8_t*), mbuf->pkt_len, mbuf};
    if (mbuf->nb_segs == 1) continue;
    // More than was ever asked for cannot be a flow's frame: its first octets say enough.
    frames[i].length = std::min(mbuf->pkt_len, kMaxFrame);
    uint8_t* whole = rx_scratch_ ? rx_scratch_.get() + size_t{i} * kMaxFrame : nullptr;
    if (!whole)
      frames[i].length = mbuf->data_len;
    else
      frames[i].data =
          static_cast<uint8_t*>(const_cast<void*>(rte_pktmbuf_read(mbuf, 0, frames[i].length, whole)));
  }
  return received;
}

bool VirtioPort::ask_for_calls() {
  // Rings that are about to be put back are the driver's own.
  if (!access_.may_send()) return false;
  for (uint16_t q = 0; q < queues_; ++q) rte_eth_dev_rx_intr_enable(port_, q);
  return asked_for_calls_ = true;
}

void VirtioPort::refuse_calls() {
  if (!std::exchange(asked_for_calls_, false) || !access_.may_receive()) return;
  for (uint16_t q = 0; q < queues_; ++q) rte_eth_dev_rx_intr_disable(port_, q);
  uint64_t calls;
  for (const int fd : call_fds_) (void)!::read(fd, &calls, sizeof calls);
}

void VirtioPort::found_nothing() {
  if (++empty_queues_ < queues_ || !access_.draining()) return;
  for (HeldBuffers& held : held_) held.mark();
  access_.drained();
}

void VirtioPort::release(uint16_t queue, Frame* frames, uint16_t count) {
  if (!held_.empty()) {
    for (uint16_t i = 0; i < count; ++i) held_[queue].hold(static_cast<rte_mbuf*>(frames[i].handle));
    return;
  }
  rte_mbuf* mbufs[kBurst];
  for (uint16_t i = 0; i < count; ++i) mbufs[i] = static_cast<rte_mbuf*>(frames[i].handle);
  rte_pktmbuf_free_bulk(mbufs, count);
}

}  // namespace testbed::load
