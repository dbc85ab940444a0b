#include "emu/guest/packet_ring.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace testbed::guest {

namespace {

constexpr uint32_t kVlanTag = 4;           // octets that the kernel takes out of a tagged frame
constexpr uint32_t kBlock = 1u << 16;      // contiguous pages; a multiple of every slot size
constexpr uint32_t kRingBytes = 4u << 20;  // 2048 frames of 1514 octets: 100 ms at 20 kpps

template <typename T>
Result<void> set_option(int socket, int option, const T& value, const char* what) {
  if (::setsockopt(socket, SOL_PACKET, option, &value, sizeof value) != 0)
    return fail_errno(std::string("packet socket: ") + what, errno);
  return {};
}

uint32_t slot_size_for(uint32_t max_frame) {
  return std::bit_ceil(TPACKET_ALIGN(TPACKET2_HDRLEN) + 16 + kVlanTag + max_frame);
}

Result<void> configure(int socket, const tpacket_req& ring) {
  if (auto done = set_option(socket, PACKET_VERSION, int{TPACKET_V2}, "version"); !done) return done;
  if (auto done = set_option(socket, PACKET_RESERVE, kVlanTag, "reserve"); !done) return done;
  if (auto done = set_option(socket, PACKET_IGNORE_OUTGOING, 1, "ignore outgoing"); !done) return done;
  return set_option(socket, PACKET_RX_RING, ring, "ring");
}

Result<void> attach(int socket, const RingLayout& layout) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = layout.interface;
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("packet socket: bind", errno);
  packet_mreq membership{};
  membership.mr_ifindex = layout.interface;
  membership.mr_type = PACKET_MR_PROMISC;
  if (auto done = set_option(socket, PACKET_ADD_MEMBERSHIP, membership, "promiscuous"); !done) return done;
  if (layout.rings == 1) return {};
  return set_option(socket, PACKET_FANOUT, int{layout.group | PACKET_FANOUT_QM << 16}, "fanout");
}

// Puts back the tag that the kernel took out, into the room PACKET_RESERVE left in front.
uint8_t* insert_tag(uint8_t* frame, const tpacket2_hdr& header) {
  std::memmove(frame - kVlanTag, frame, 2 * ETH_ALEN);
  const uint16_t tpid =
      htons(header.tp_status & TP_STATUS_VLAN_TPID_VALID ? header.tp_vlan_tpid : ETH_P_8021Q);
  const uint16_t tci = htons(header.tp_vlan_tci);
  std::memcpy(frame - kVlanTag + 2 * ETH_ALEN, &tpid, sizeof tpid);
  std::memcpy(frame - kVlanTag + 2 * ETH_ALEN + sizeof tpid, &tci, sizeof tci);
  return frame - kVlanTag;
}

}  // namespace

PacketRing::PacketRing(PacketRing&& other) noexcept
    : socket_(std::move(other.socket_)),
      memory_(std::exchange(other.memory_, nullptr)),
      slot_size_(other.slot_size_),
      slots_(other.slots_),
      next_(other.next_) {
}

PacketRing::~PacketRing() {
  if (memory_) ::munmap(memory_, static_cast<size_t>(slot_size_) * slots_);
}

Result<PacketRing> PacketRing::open(const RingLayout& layout) {
  PacketRing ring;
  // Protocol 0: nothing arrives before the ring stands and the socket is bound.
  ring.socket_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!ring.socket_) return fail_errno("packet socket", errno);
  ring.slot_size_ = slot_size_for(layout.max_frame);
  ring.slots_ = kRingBytes / ring.slot_size_;
  const tpacket_req request{kBlock, kRingBytes / kBlock, ring.slot_size_, ring.slots_};
  if (auto done = configure(ring.fd(), request); !done) return tl::unexpected(done.error());
  void* memory = ::mmap(nullptr, kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd(), 0);
  if (memory == MAP_FAILED) return fail_errno("packet socket: mmap", errno);
  ring.memory_ = static_cast<uint8_t*>(memory);
  if (auto done = attach(ring.fd(), layout); !done) return tl::unexpected(done.error());
  return ring;
}

uint16_t PacketRing::receive(flow::Frame* frames, uint16_t count) {
  uint16_t got = 0;
  for (uint32_t index = next_; got < count; ++got) {
    auto* header = reinterpret_cast<tpacket2_hdr*>(slot(index));
    const uint32_t status = std::atomic_ref(header->tp_status).load(std::memory_order_acquire);
    if (!(status & TP_STATUS_USER)) break;
    uint8_t* frame = reinterpret_cast<uint8_t*>(header) + header->tp_mac;
    uint32_t length = header->tp_snaplen;
    if (status & TP_STATUS_VLAN_VALID) {
      frame = insert_tag(frame, *header);
      length += kVlanTag;
    }
    frames[got] = {frame, length, header};
    index = index + 1 == slots_ ? 0 : index + 1;
  }
  return got;
}

void PacketRing::release(const flow::Frame* frames, uint16_t count) {
  for (uint16_t i = 0; i < count; ++i) {
    auto* header = static_cast<tpacket2_hdr*>(frames[i].handle);
    std::atomic_ref(header->tp_status).store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = next_ + 1 == slots_ ? 0 : next_ + 1;
  }
}

uint32_t PacketRing::take_drops() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  return ::getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0 ? stats.tp_drops : 0;
}

}  // namespace testbed::guest
