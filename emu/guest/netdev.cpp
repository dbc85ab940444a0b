#include "emu/guest/netdev.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/base/fd.hpp"
#include "emu/guest/system.hpp"

namespace testbed::guest {

namespace {

// Runs one interface ioctl. The request's union must be filled by the caller.
Result<void> interface_ioctl(const std::string& name, unsigned long request, ifreq& argument,
                             const char* what) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket", errno);
  std::strncpy(argument.ifr_name, name.c_str(), IFNAMSIZ - 1);
  if (::ioctl(socket.get(), request, &argument) != 0) return fail_errno(name + ": " + what, errno);
  return {};
}

Result<ethtool_channels> get_channels(const std::string& name) {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  ifreq request{};
  request.ifr_data = reinterpret_cast<char*>(&channels);
  if (auto done = interface_ioctl(name, SIOCETHTOOL, request, "channels"); !done)
    return tl::unexpected(done.error());
  return channels;
}

}  // namespace

int Netdev::index() const {
  return static_cast<int>(::if_nametoindex(name_.c_str()));
}

Result<void> Netdev::up() const {
  ifreq request{};
  if (auto done = interface_ioctl(name_, SIOCGIFFLAGS, request, "flags"); !done) return done;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return interface_ioctl(name_, SIOCSIFFLAGS, request, "up");
}

bool Netdev::link() const {
  return attribute("carrier") == "1";
}

std::string Netdev::mac() const {
  return attribute("address");
}

NetCounters Netdev::counters() const {
  const auto count = [this](const char* file) { return std::strtoull(attribute(file).c_str(), nullptr, 10); };
  return {count("statistics/rx_packets"), count("statistics/tx_packets"), count("statistics/rx_bytes"),
          count("statistics/tx_bytes"),   count("statistics/rx_dropped"), count("statistics/tx_dropped")};
}

QueueCount Netdev::queues() const {
  const auto channels = get_channels(name_);
  if (!channels || channels->max_combined == 0) return {};
  return {channels->combined_count, channels->max_combined};
}

Result<void> Netdev::set_queues(unsigned count) const {
  auto channels = get_channels(name_);
  if (!channels) return tl::unexpected(channels.error());
  if (channels->combined_count == count) return {};
  if (count == 0 || count > channels->max_combined)
    return fail(Errc::invalid_argument, name_ + " can have 1 to " + std::to_string(channels->max_combined) +
                                            " queue pairs, not " + std::to_string(count));
  channels->cmd = ETHTOOL_SCHANNELS;
  channels->combined_count = count;
  ifreq request{};
  request.ifr_data = reinterpret_cast<char*>(&*channels);
  return interface_ioctl(name_, SIOCETHTOOL, request, "set channels");
}

std::string Netdev::attribute(const char* file) const {
  return read_line("/sys/class/net/" + name_ + "/" + file);
}

}  // namespace testbed::guest
