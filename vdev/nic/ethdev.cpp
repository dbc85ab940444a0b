#include "vdev/nic/ethdev.hpp"

#include <algorithm>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

namespace testbed::nic {
namespace {

constexpr uint16_t kSlots = 256;  // descriptors of a queue; a burst is 32
constexpr uint32_t kFrameOverhead = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;

// An mbuf that a transmit ring of another device still refers to keeps its pool alive: such pools are left to the end of
// the process. Drivers of this build copy on transmit, so the pool is whole in practice.
void free_when_whole(rte_mempool* pool) {
  if (pool && rte_mempool_full(pool)) rte_mempool_free(pool);
}

Result<void> check_queues(const rte_eth_dev_info& info, const EthdevOptions& options) {
  const uint16_t most = std::min(info.max_rx_queues, info.max_tx_queues);
  if (options.queues <= most) return {};
  return fail(Errc::unsupported, device_name(options.devargs) + " has " + std::to_string(most) + " queues, not " +
                                     std::to_string(options.queues));
}

// Interrupts are asked for first: some drivers have them, and the only way to know is to try.
bool configure(uint16_t id, const EthdevOptions& options, const rte_eth_dev_info& info, bool rx_interrupts) {
  rte_eth_conf conf{};
  conf.intr_conf.rxq = rx_interrupts;
  conf.rxmode.mtu = options.mtu;
  if (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
  if (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  return rte_eth_dev_configure(id, options.queues, options.queues, &conf) == 0;
}

tl::unexpected<Error> failed(const std::string& what, int error) {
  return fail(Errc::system, what + ": " + rte_strerror(std::abs(error)));
}

}  // namespace

std::string device_name(const std::string& devargs) { return devargs.substr(0, devargs.find(',')); }

Result<std::unique_ptr<Ethdev>> Ethdev::open(const EthdevOptions& options) {
  const std::string name = device_name(options.devargs);
  uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) == 0)
    return fail(Errc::already_exists, "the device " + name + " is in use by another port; give it another number");
  if (const int error = rte_dev_probe(options.devargs.c_str()); error != 0)
    return fail(error == -ENODEV || error == -ENOENT || error == -EINVAL ? Errc::unsupported : Errc::system,
                "cannot make the device " + options.devargs + ": " + rte_strerror(-error) +
                    " (drivers in this build: net_tap, net_af_packet, net_pcap, net_null, net_ring, net_memif; tap and "
                    "af_packet need root)");
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) != 0)
    return fail(Errc::unsupported, name + " is not a network device");
  std::unique_ptr<Ethdev> device(new Ethdev(name, id));
  if (auto ok = device->start(options); !ok) return tl::unexpected(ok.error());
  return device;
}

Result<void> Ethdev::start(const EthdevOptions& options) {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(id_, &info)) return failed("no information about " + name_, error);
  if (auto ok = check_queues(info, options); !ok) return ok;
  rx_interrupts_ = configure(id_, options, info, true);
  if (!rx_interrupts_ && !configure(id_, options, info, false))
    return fail(Errc::unsupported, name_ + " does not take " + std::to_string(options.queues) + " queues and MTU " +
                                       std::to_string(options.mtu));
  uint16_t receive_slots = kSlots, transmit_slots = kSlots;
  rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_slots, &transmit_slots);
  if (auto ok = make_pool(options.queues, receive_slots, options.mtu + kFrameOverhead); !ok) return ok;
  const auto socket = static_cast<unsigned>(SOCKET_ID_ANY);
  for (uint16_t queue = 0; queue < options.queues; ++queue) {
    if (const int error = rte_eth_rx_queue_setup(id_, queue, receive_slots, socket, nullptr, pool_))
      return failed(name_ + ": receive queue", error);
    if (const int error = rte_eth_tx_queue_setup(id_, queue, transmit_slots, socket, nullptr))
      return failed(name_ + ": transmit queue", error);
  }
  rte_eth_dev_set_mtu(id_, options.mtu);  // drivers without an MTU of their own take any frame
  if (const int error = rte_eth_dev_start(id_)) return failed("cannot start " + name_, error);
  rte_eth_promiscuous_enable(id_);  // a switch port takes what is not addressed to it
  if (rx_interrupts_ && rx_interrupt_fd(0) < 0) rx_interrupts_ = false;
  return {};
}

// Mbufs as long as the longest frame: drivers without scattered receive need that.
Result<void> Ethdev::make_pool(uint16_t queues, uint16_t receive_slots, uint32_t frame_octets) {
  const unsigned mbufs = queues * (receive_slots + 128u) + 512u;
  const auto room = static_cast<uint16_t>(std::max<uint32_t>(RTE_MBUF_DEFAULT_DATAROOM, frame_octets) + RTE_PKTMBUF_HEADROOM);
  pool_ = rte_pktmbuf_pool_create(("nic-" + std::to_string(id_)).c_str(), mbufs, 0, 0, room, SOCKET_ID_ANY);
  if (!pool_)
    return fail(Errc::exhausted, "no memory for " + std::to_string(mbufs) + " mbufs of " + name_ +
                                     "; start the switch with a larger memory_mb");
  return {};
}

int Ethdev::rx_interrupt_fd(uint16_t queue) const { return rte_eth_dev_rx_intr_ctl_q_get_fd(id_, queue); }

Ethdev::~Ethdev() {
  rte_eth_dev_info info{};
  const bool known = rte_eth_dev_info_get(id_, &info) == 0;
  rte_eth_dev_stop(id_);
  rte_eth_dev_close(id_);
  if (known && info.device) rte_dev_remove(info.device);
  free_when_whole(pool_);
}

}  // namespace testbed::nic
