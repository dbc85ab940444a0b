#include "tests/unit/nic/netns.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>

namespace testbed::test {
namespace {

bool entered = false;

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

bool become_root_of_user_namespace() {
  const std::string uid = std::to_string(::getuid()), gid = std::to_string(::getgid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  write_file("/proc/self/setgroups", "deny");
  return write_file("/proc/self/uid_map", "0 " + uid + " 1") &&
         write_file("/proc/self/gid_map", "0 " + gid + " 1");
}

sockaddr_ll address_of(const std::string& interface) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(0x0003);  // ETH_P_ALL
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  return address;
}

boost::test_tools::assertion_result because(bool holds, const char* reason) {
  boost::test_tools::assertion_result result(holds);
  if (!holds) result.message() << reason;
  return result;
}

}  // namespace

void enter_netns() {
  entered = (::geteuid() == 0 && ::unshare(CLONE_NEWNET) == 0) || become_root_of_user_namespace();
  // Routers are not solicited: only the test's frames are on its interfaces.
  if (entered) write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

bool in_netns() {
  return entered;
}

boost::test_tools::assertion_result has_packet_sockets(boost::unit_test::test_unit_id) {
  return because(entered, "no network namespace: needs root, or user namespaces for everybody");
}

boost::test_tools::assertion_result has_taps(boost::unit_test::test_unit_id unit) {
  if (!entered) return has_packet_sockets(unit);
  const Fd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  return because(static_cast<bool>(tun), "no /dev/net/tun: modprobe tun");
}

void ip(const std::string& arguments) {
  const std::string command = "ip " + arguments;
  BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
}

bool interface_exists(const std::string& name) {
  return ::if_nametoindex(name.c_str()) != 0;
}

// /sys shows the namespace it was mounted in; /proc/net the reader's.
uint64_t kernel_rx_packets(const std::string& name) {
  std::ifstream table("/proc/net/dev");
  for (std::string line; std::getline(table, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || line.substr(0, colon).find(name) == std::string::npos) continue;
    unsigned long long octets = 0, packets = 0;
    if (std::sscanf(line.c_str() + colon + 1, "%llu %llu", &octets, &packets) == 2) return packets;
  }
  return 0;
}

Wire::Wire(const std::string& interface) : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
  BOOST_REQUIRE(socket_);
  const int on = 1;
  ::setsockopt(socket_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  ::setsockopt(socket_.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof on);
  const sockaddr_ll address = address_of(interface);
  BOOST_REQUIRE_EQUAL(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

void Wire::send(const Frame& bytes) {
  BOOST_REQUIRE_EQUAL(::send(socket_.get(), bytes.data(), bytes.size(), 0),
                      static_cast<ssize_t>(bytes.size()));
}

std::optional<Frame> Wire::receive(std::chrono::milliseconds deadline) {
  pollfd readable{socket_.get(), POLLIN, 0};
  if (::poll(&readable, 1, static_cast<int>(deadline.count())) != 1) return std::nullopt;
  Frame bytes(16384);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> room{};
  iovec into{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  const ssize_t length = ::recvmsg(socket_.get(), &message, 0);
  if (length < 0) return std::nullopt;
  bytes.resize(static_cast<size_t>(length));
  // The kernel takes the tag out of the frame and hands it over beside it (packet(7)).
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != PACKET_AUXDATA) return bytes;
  const auto* aux = reinterpret_cast<const tpacket_auxdata*>(CMSG_DATA(header));
  if ((aux->tp_status & TP_STATUS_VLAN_VALID) == 0) return bytes;
  const std::array<std::byte, 4> tag = {
      static_cast<std::byte>(aux->tp_vlan_tpid >> 8), static_cast<std::byte>(aux->tp_vlan_tpid),
      static_cast<std::byte>(aux->tp_vlan_tci >> 8), static_cast<std::byte>(aux->tp_vlan_tci)};
  bytes.insert(bytes.begin() + 12, tag.begin(), tag.end());
  return bytes;
}

Cable::Cable(std::string a, const std::string& b) : a_(std::move(a)) {
  ip("link add " + a_ + " type veth peer name " + b);
  ip("link set " + a_ + " up");
  ip("link set " + b + " up");
}

Cable::~Cable() {
  if (interface_exists(a_)) ip("link del " + a_);
}

}  // namespace testbed::test
