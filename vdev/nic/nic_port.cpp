#include "vdev/nic/nic_port.hpp"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>

#include "core/graph/keep.hpp"

namespace testbed::nic {
namespace {

constexpr int kTransmitTries = 8;                 // further tries only while the last one sent something
constexpr uint64_t kLinkEveryNs = 100'000'000;    // at most one question to the driver in this time
constexpr uint16_t kMinMtu = 68, kMaxMtu = 9216;  // RFC 791; jumbo frames with room for tags

rte_mbuf* mbuf_of(const Packet& packet) {
  return static_cast<rte_mbuf*>(packet.payload);
}

// A device may keep what it was given for as long as its other end takes nothing. It may have packets of
// somebody's pool while half of that is free; the other half is for those who receive into it.
bool can_be_spared(const Packet& packet) {
  if (packet.kind != PayloadKind::mbuf) return false;
  const rte_mempool* pool = mbuf_of(packet)->pool;
  return rte_mempool_ops_get_count(pool) > pool->size / 2;
}

// The whole frame as an mbuf that outlives the burst: another reference where the frame lies in one as it is,
// and there are enough of those; else a copy, of which each device has so many.
rte_mbuf* keep(const Packet& packet, bool spared, rte_mempool* own) {
  if (!spared || packet.kind != PayloadKind::mbuf) return copy_to_mbuf(packet, own);
  rte_mbuf* mbuf = mbuf_of(packet);
  if (packet.head != rte_pktmbuf_mtod(mbuf, std::byte*)) return copy_to_mbuf(packet, own);
  for (rte_mbuf* segment = mbuf; segment; segment = segment->next) rte_mbuf_refcnt_update(segment, 1);
  return mbuf;
}

// VLAN tags are not part of what the MTU counts: IEEE 802.1Q allows one or two on a frame of full length.
uint32_t tags_octets(const Packet& packet) {
  uint32_t octets = 0;
  while (octets < 2 * RTE_VLAN_HLEN && RTE_ETHER_HDR_LEN + octets <= packet.head_length) {
    const std::byte* type = packet.head + 2 * RTE_ETHER_ADDR_LEN + octets;
    const auto value =
        static_cast<uint16_t>(std::to_integer<unsigned>(type[0]) << 8 | std::to_integer<unsigned>(type[1]));
    if (value != RTE_ETHER_TYPE_VLAN && value != RTE_ETHER_TYPE_QINQ) break;
    octets += RTE_VLAN_HLEN;
  }
  return octets;
}

std::string mac_text(const rte_ether_addr& mac) {
  char text[RTE_ETHER_ADDR_FMT_SIZE];
  rte_ether_format_addr(text, sizeof text, &mac);
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

EthdevOptions read_options(Options& options) {
  EthdevOptions read;
  read.devargs = options.text("device");
  read.queues = static_cast<uint16_t>(options.number("queues", 1, 1, 64));
  read.mtu = static_cast<uint16_t>(options.number("mtu", 1500, kMinMtu, kMaxMtu));
  return read;
}

}  // namespace

NicPort::NicPort(std::string name, EthdevOptions options, std::unique_ptr<Ethdev> device, uint16_t workers)
    : Port(std::move(name)),
      options_(std::move(options)),
      device_(std::move(device)),
      longest_(options_.mtu + RTE_ETHER_HDR_LEN),
      shared_(workers > 1),
      locks_(options_.queues),
      refused_(options_.queues) {
}

nlohmann::json NicPort::describe() const {
  rte_eth_stats stats{};
  rte_ether_addr mac{};
  rte_eth_dev_info info{};
  uint64_t refused = 0;
  for (const auto& queue : refused_) refused += queue.too_big.get();
  rte_eth_stats_get(device_->id(), &stats);
  rte_eth_macaddr_get(device_->id(), &mac);
  rte_eth_dev_info_get(device_->id(), &info);
  return {{"type", "nic"},
          {"device", options_.devargs},
          {"driver", info.driver_name ? info.driver_name : ""},
          {"queues", options_.queues},
          {"mtu", options_.mtu},
          {"mac", mac_text(mac)},
          {"state", device_->link_up() ? "up" : "down"},
          {"interrupts", device_->has_rx_interrupts()},
          {"rx_too_big", refused},
          {"ethdev",
           {{"rx_packets", stats.ipackets},
            {"tx_packets", stats.opackets},
            {"rx_missed", stats.imissed},
            {"rx_errors", stats.ierrors},
            {"tx_errors", stats.oerrors},
            {"rx_no_mbuf", stats.rx_nombuf}}}};
}

bool NicPort::fits(const Packet& packet) const {
  return packet.length <= longest_ || packet.length <= longest_ + tags_octets(packet);
}

// What is longer than the MTU does not enter: some drivers cut such frames off without a word.
uint16_t NicPort::receive(WorkerContext&, uint16_t queue, Packet* packets) {
  std::array<rte_mbuf*, kBurst> mbufs;
  const uint16_t count = rte_eth_rx_burst(device_->id(), queue, mbufs.data(), kBurst);
  uint16_t taken = 0;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* mbuf = mbufs[i];
    packets[taken] = {.head = rte_pktmbuf_mtod(mbuf, std::byte*),
                      .payload = mbuf,
                      .length = mbuf->pkt_len,
                      .head_length = std::min<uint16_t>(mbuf->data_len, kHeadBytes),
                      .kind = PayloadKind::mbuf,
                      .flags = 0};
    if (fits(packets[taken])) {
      ++taken;
    } else {
      rte_pktmbuf_free(mbuf);
      refused_[queue].too_big.add(1);
    }
  }
  return taken;
}

void NicPort::release(WorkerContext&, uint16_t, Packet* packets, uint16_t count) {
  std::array<rte_mbuf*, kBurst> mbufs;
  for (uint16_t i = 0; i < count; ++i) mbufs[i] = mbuf_of(packets[i]);
  rte_pktmbuf_free_bulk(mbufs.data(), count);
}

TxOutcome NicPort::transmit(WorkerContext& worker, uint16_t lane, Packet* const* packets, uint16_t count) {
  const auto to = static_cast<uint16_t>(lane % options_.queues);
  std::array<rte_mbuf*, kBurst> mbufs;
  uint16_t fitting = 0;
  while (fitting < count && fits(*packets[fitting])) ++fitting;
  uint16_t kept = 0;
  const bool spared = count > 0 && can_be_spared(*packets[0]);  // a burst comes out of one pool
  while (kept < fitting && (mbufs[kept] = keep(*packets[kept], spared, device_->transmit_pool()))) ++kept;
  if (shared_) rte_spinlock_lock(&locks_[to].lock);
  const uint16_t sent = send(to, mbufs.data(), kept);
  if (shared_) rte_spinlock_unlock(&locks_[to].lock);
  rte_pktmbuf_free_bulk(mbufs.data() + sent, kept - sent);
  if (sent < kept)
    return {.sent = sent,
            .queue = to,
            .reason = link_down(worker.now_ns) ? DropReason::port_down : DropReason::ring_full};
  if (kept < fitting) return {.sent = sent, .queue = to, .reason = DropReason::no_memory};
  return {.sent = sent, .queue = to, .reason = DropReason::too_big, .more = true};
}

// Only for the name of a drop, and seldom: drivers ask the kernel.
bool NicPort::link_down(uint64_t now_ns) {
  uint64_t next = ask_link_ns_.load(std::memory_order_relaxed);
  if (now_ns >= next &&
      ask_link_ns_.compare_exchange_strong(next, now_ns + kLinkEveryNs, std::memory_order_relaxed))
    link_down_.store(!device_->link_up(), std::memory_order_relaxed);
  return link_down_.load(std::memory_order_relaxed);
}

uint16_t NicPort::send(uint16_t queue, rte_mbuf** mbufs, uint16_t count) {
  uint16_t sent = 0;
  for (int tries = 0; tries < kTransmitTries && sent < count; ++tries) {
    const uint16_t now =
        rte_eth_tx_burst(device_->id(), queue, mbufs + sent, static_cast<uint16_t>(count - sent));
    if (now == 0) break;
    sent = static_cast<uint16_t>(sent + now);
  }
  return sent;
}

// The descriptor stays readable until its packets are read, so one that comes between the last poll and here
// is not missed.
int NicPort::arm(uint16_t queue) {
  if (!device_->has_rx_interrupts()) return kNap;
  rte_eth_dev_rx_intr_enable(device_->id(), queue);
  return device_->rx_interrupt_fd(queue);
}

void NicPort::disarm(uint16_t queue) {
  if (device_->has_rx_interrupts()) rte_eth_dev_rx_intr_disable(device_->id(), queue);
}

PortType nic_port_type() {
  return {.check = [](Options& options) { read_options(options); },
          .create = [](const std::string& name, const nlohmann::json& document,
                       PortEnvironment& environment) -> Result<std::unique_ptr<Port>> {
            Mistakes mistakes;
            Options options(document, "ports." + name, mistakes);
            EthdevOptions read = read_options(options);
            auto device = Ethdev::open(read);
            if (!device) return tl::unexpected(device.error());
            return std::make_unique<NicPort>(name, std::move(read), std::move(*device), environment.workers);
          }};
}

}  // namespace testbed::nic
