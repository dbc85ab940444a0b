#include "emu/load/device.hpp"

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/unix_socket.hpp"

namespace testbed::load {

namespace {

// EAL's list of devices has no lock of its own in the part of a hot-plug that comes before the driver's.
std::mutex hotplug_mutex;

bool is_at(const sockaddr_un& address, socklen_t length, const std::string& path) {
  return length > offsetof(sockaddr_un, sun_path) && address.sun_family == AF_UNIX &&
         path == std::string(address.sun_path, ::strnlen(address.sun_path, sizeof address.sun_path));
}

// Closes the sockets a failed probe left: a server's are bound to the path (listening and accepted), a
// client's is connected to it. Only these: in the in-process program the other side of the path is ours as
// well.
void close_sockets_of(const std::string& path, Role role) {
  const auto address_of = role == Role::server ? ::getsockname : ::getpeername;
  std::vector<int> ours;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const int fd = std::stoi(entry.path().filename());
    sockaddr_un address{};
    socklen_t length = sizeof address;
    if (address_of(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 && is_at(address, length, path))
      ours.push_back(fd);
  }
  for (const int fd : ours) ::close(fd);
}

// What EAL does before the driver's own part; long gone by then.
constexpr std::chrono::milliseconds kPrelude{100};

}  // namespace

Result<void> clear_path(const std::string& path) {
  const auto connected = connect_unix(path);
  if (connected || connected.error().code == Errc::busy)
    return fail(Errc::busy, path + ": another process listens there");
  if (connected.error().code == Errc::refused)
    ::unlink(path.c_str());
  else if (connected.error().code != Errc::not_found)
    return tl::unexpected(connected.error());
  return {};
}

Result<void> add_device(const std::string& name, const std::string& arguments,
                        const FrontendOptions& options) {
  std::unique_lock lock(hotplug_mutex);
  if (options.role == Role::server)
    if (auto cleared = clear_path(options.path); !cleared) return cleared;
  std::promise<int> promise;
  auto result = promise.get_future();
  std::thread probe([&] { promise.set_value(rte_eal_hotplug_add("vdev", name.c_str(), arguments.c_str())); });
  // Once it listens, EAL is done with its list and the next device may begin.
  const auto begun = std::chrono::steady_clock::now();
  while (result.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    const bool listens = options.role == Role::server && std::filesystem::exists(options.path);
    if (lock.owns_lock() && (listens || std::chrono::steady_clock::now() - begun > kPrelude)) lock.unlock();
  }
  probe.join();
  if (!lock.owns_lock()) lock.lock();
  if (result.get() == 0) return {};
  close_sockets_of(options.path, options.role);
  if (options.role == Role::server) ::unlink(options.path.c_str());
  return fail(Errc::disconnected,
              options.path + ": the backend did not connect or left during the handshake");
}

void remove_device(const std::string& name) {
  const std::lock_guard lock(hotplug_mutex);
  rte_eal_hotplug_remove("vdev", name.c_str());
}

void interrupt_device(const FrontendOptions& options) {
  // In the server role a connection that ends at once is a backend that left.
  if (options.role == Role::server) (void)connect_unix(options.path);
}

}  // namespace testbed::load
