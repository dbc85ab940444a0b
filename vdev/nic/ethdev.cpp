#include "vdev/nic/ethdev.hpp"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/graph/packet.hpp"

namespace testbed::nic {
namespace {

constexpr uint16_t kSlots = 256;  // descriptors of a queue; a burst is 32
constexpr uint32_t kFrameOverhead = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
constexpr int kDrainBursts = 64;  // of a queue: more than a device of this build keeps

// Pools whose mbufs are still out: a device that keeps what it was given (net_ring) may hold some of another
// one's. They are freed when they are whole. Control thread.
std::vector<rte_mempool*> outliving;

void free_when_whole(rte_mempool* pool) {
  if (pool) outliving.push_back(pool);
  std::erase_if(outliving, [](rte_mempool* candidate) {
    const bool whole = rte_mempool_full(candidate);
    if (whole) rte_mempool_free(candidate);
    return whole;
  });
}

// A pool may outlive its port id.
std::string pool_name() {
  static unsigned made = 0;
  return "nic-" + std::to_string(made++);
}

Result<void> check_queues(const rte_eth_dev_info& info, const EthdevOptions& options) {
  const uint16_t most = std::min(info.max_rx_queues, info.max_tx_queues);
  if (options.queues <= most) return {};
  return fail(Errc::unsupported, device_name(options.devargs) + " has " + std::to_string(most) +
                                     " queues, not " + std::to_string(options.queues));
}

// As rte_eth_dev_configure() judges, which does not tell what it would take.
Result<void> check_mtu(const rte_eth_dev_info& info, const EthdevOptions& options) {
  constexpr uint32_t kOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
  const bool says_overhead = info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu;
  const uint32_t overhead = says_overhead ? info.max_rx_pktlen - info.max_mtu : kOverhead;
  const uint32_t most = std::min<uint32_t>(info.max_mtu, info.max_rx_pktlen - overhead);
  if (options.mtu <= most) return {};
  return fail(Errc::unsupported, device_name(options.devargs) + " carries an MTU of " + std::to_string(most) +
                                     " at most, not " + std::to_string(options.mtu));
}

// Interrupts are asked for first: some drivers have them, and the only way to know is to try.
bool configure(uint16_t id, const EthdevOptions& options, const rte_eth_dev_info& info, bool rx_interrupts) {
  rte_eth_conf conf{};
  conf.intr_conf.rxq = rx_interrupts;
  conf.rxmode.mtu = options.mtu;
  if (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
  if (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
    conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  return rte_eth_dev_configure(id, options.queues, options.queues, &conf) == 0;
}

tl::unexpected<Error> failed(const std::string& what, int error) {
  return fail(Errc::system, what + ": " + rte_strerror(std::abs(error)));
}

}  // namespace

std::string device_name(const std::string& devargs) {
  return devargs.substr(0, devargs.find(','));
}

Result<std::unique_ptr<Ethdev>> Ethdev::open(const EthdevOptions& options) {
  const std::string name = device_name(options.devargs);
  uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) == 0)
    return fail(Errc::already_exists,
                "the device " + name + " is in use by another port; give it another number");
  if (const int error = rte_dev_probe(options.devargs.c_str()); error != 0)
    return fail(error == -ENODEV || error == -ENOENT || error == -EINVAL ? Errc::unsupported : Errc::system,
                "cannot make the device " + options.devargs + ": " + rte_strerror(-error) +
                    " (drivers in this build: net_tap, net_af_packet, net_pcap, net_null, net_ring, "
                    "net_memif; tap and "
                    "af_packet need root)");
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) != 0) {
    rte_eal_hotplug_remove("vdev", name.c_str());
    return fail(Errc::unsupported, name + " is not a network device");
  }
  std::unique_ptr<Ethdev> device(new Ethdev(name, id));
  if (auto ok = device->start(options); !ok) return tl::unexpected(ok.error());
  return device;
}

Result<void> Ethdev::start(const EthdevOptions& options) {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(id_, &info))
    return failed("no information about " + name_, error);
  if (auto ok = check_queues(info, options); !ok) return ok;
  if (auto ok = check_mtu(info, options); !ok) return ok;
  rx_interrupts_ = configure(id_, options, info, true);
  if (!rx_interrupts_ && !configure(id_, options, info, false))
    return fail(Errc::unsupported, name_ + " does not take " + std::to_string(options.queues) +
                                       " queues and MTU " + std::to_string(options.mtu));
  uint16_t receive_slots = kSlots, transmit_slots = kSlots;
  rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_slots, &transmit_slots);
  const uint32_t longest = options.mtu + kFrameOverhead;
  auto receive_pool = make_pool(options.queues * (receive_slots + 128u) + 512u, longest);
  if (!receive_pool) return tl::unexpected(receive_pool.error());
  receive_pool_ = *receive_pool;
  auto transmit_pool = make_pool(options.queues * transmit_slots + 2u * kBurst, longest);
  if (!transmit_pool) return tl::unexpected(transmit_pool.error());
  transmit_pool_ = *transmit_pool;
  const auto socket = static_cast<unsigned>(SOCKET_ID_ANY);
  for (uint16_t queue = 0; queue < options.queues; ++queue) {
    if (const int error = rte_eth_rx_queue_setup(id_, queue, receive_slots, socket, nullptr, receive_pool_))
      return failed(name_ + ": receive queue", error);
    if (const int error = rte_eth_tx_queue_setup(id_, queue, transmit_slots, socket, nullptr))
      return failed(name_ + ": transmit queue", error);
  }
  rte_eth_dev_set_mtu(id_, options.mtu);  // drivers without an MTU of their own take any frame
  if (const int error = rte_eth_dev_start(id_)) return failed("cannot start " + name_, error);
  started_ = true;
  rte_eth_promiscuous_enable(id_);  // a switch port takes what is not addressed to it
  find_rx_interrupts(options.queues);
  return {};
}

// Asked once. That a driver has none is no error, which is what ethdev would log.
void Ethdev::find_rx_interrupts(uint16_t queues) {
  const auto log = static_cast<uint32_t>(rte_log_register("lib.ethdev"));
  const auto level = static_cast<uint32_t>(rte_log_get_level(log));
  rte_log_set_level(log, RTE_LOG_EMERG);
  for (uint16_t queue = 0; rx_interrupts_ && queue < queues; ++queue) {
    rx_fds_.push_back(rte_eth_dev_rx_intr_ctl_q_get_fd(id_, queue));
    rx_interrupts_ = rx_fds_.back() >= 0;
  }
  rte_log_set_level(log, level);
}

// Mbufs as long as the longest frame: drivers without scattered receive need that.
Result<rte_mempool*> Ethdev::make_pool(unsigned mbufs, uint32_t frame_octets) const {
  const auto room = static_cast<uint16_t>(std::max<uint32_t>(RTE_MBUF_DEFAULT_DATAROOM, frame_octets) +
                                          RTE_PKTMBUF_HEADROOM);
  rte_mempool* pool = rte_pktmbuf_pool_create(pool_name().c_str(), mbufs, 0, 0, room, SOCKET_ID_ANY);
  if (pool) return pool;
  return fail(Errc::exhausted, "no memory for " + std::to_string(mbufs) + " mbufs of " + name_ +
                                   "; start the switch with a larger memory_mb");
}

bool Ethdev::link_up() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

// What waits in the device would never be freed: drivers free their own buffers, not those that were received
// or looped back.
void Ethdev::drain(uint16_t queues) {
  std::array<rte_mbuf*, 32> mbufs;
  for (uint16_t queue = 0; queue < queues; ++queue) {
    for (int burst = 0; burst < kDrainBursts; ++burst) {
      const uint16_t count = rte_eth_rx_burst(id_, queue, mbufs.data(), mbufs.size());
      rte_pktmbuf_free_bulk(mbufs.data(), count);
      if (count == 0) break;
    }
  }
}

Ethdev::~Ethdev() {
  rte_eth_dev_info info{};
  const bool known = rte_eth_dev_info_get(id_, &info) == 0;
  if (started_) drain(info.nb_rx_queues);
  rte_eth_dev_stop(id_);
  rte_eth_dev_close(id_);
  if (known && info.device) rte_dev_remove(info.device);
  free_when_whole(receive_pool_);
  free_when_whole(transmit_pool_);
}

}  // namespace testbed::nic
