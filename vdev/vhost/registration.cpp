#include "vdev/vhost/registration.hpp"

#include <rte_vhost.h>

#include <array>
#include <boost/asio/post.hpp>
#include <climits>
#include <map>

namespace testbed::vhost {
namespace {

// Who is behind a device. Cold: a lookup for each callback.
struct Directory {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Registration>> by_path;
  std::array<std::weak_ptr<Registration>, RTE_MAX_VHOST_DEVICE> by_vid;
};

Directory& directory() {
  static Directory all;
  return all;
}

std::shared_ptr<Registration> find(int vid) {
  const std::lock_guard lock(directory().mutex);
  return directory().by_vid[static_cast<size_t>(vid)].lock();
}

int on_new_connection(int vid) {
  std::array<char, PATH_MAX> path{};
  if (rte_vhost_get_ifname(vid, path.data(), path.size()) != 0) return -1;
  std::shared_ptr<Registration> found;
  {
    const std::lock_guard lock(directory().mutex);
    found = directory().by_path[path.data()].lock();
    if (found) directory().by_vid[static_cast<size_t>(vid)] = found;
  }
  if (!found) return -1;
  found->connected(vid);
  return 0;
}

int on_new_device(int vid) {
  const auto found = find(vid);
  if (!found) return -1;
  found->started();
  return 0;
}

void on_destroy_device(int vid) {
  if (const auto found = find(vid)) found->stopped();
}

// Comes with the locks of all virtqueues held, at first before new_device: nothing but noting it down.
int on_vring_state_changed(int vid, uint16_t vring, int enable) {
  if (const auto found = find(vid)) found->enabled(vring, enable != 0);
  return 0;
}

const rte_vhost_device_ops kCallbacks = {
    .new_device = on_new_device,
    .destroy_device = on_destroy_device,
    .vring_state_changed = on_vring_state_changed,
    .features_changed = nullptr,
    .new_connection = on_new_connection,
    .destroy_connection = nullptr,
    .guest_notified = nullptr,
    .reserved = {},
};

// NET_COMPLIANT_OL_FLAGS: no offload is offered, so mbufs must claim none; the legacy mode would set flags by
// its own parsing. Neither LINEARBUF (a frame of 9000 octets comes as a chain of mbufs) nor EXTBUF (which
// would allocate from the heap).
constexpr uint64_t kFlags =
    RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT | RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;

}  // namespace

Result<void> Registration::enter() {
  {
    const std::lock_guard lock(directory().mutex);
    directory().by_path[path] = weak_from_this();
  }
  if (rte_vhost_driver_register(path.c_str(), kFlags) != 0) {
    const std::lock_guard lock(directory().mutex);
    directory().by_path.erase(path);
    return fail(Errc::exhausted, "librte_vhost takes no more sockets (it has room for 1024)");
  }
  open = true;
  if (rte_vhost_driver_callback_register(path.c_str(), &kCallbacks) != 0)
    return fail(Errc::system, "librte_vhost does not take callbacks");
  return {};
}

Result<void> Registration::start() {
  if (rte_vhost_driver_start(path.c_str()) != 0)
    return fail(Errc::system, "librte_vhost cannot connect to its private socket");
  return {};
}

void Registration::leave() {
  {
    const std::lock_guard lock(mutex);
    open = false;
  }
  rte_vhost_driver_unregister(path.c_str());
  const std::lock_guard lock(directory().mutex);
  directory().by_path.erase(path);
}

void Registration::connected(int vid) {
  const std::lock_guard lock(mutex);
  device.vid = vid;
}

void Registration::started() {
  {
    const std::lock_guard lock(mutex);
    device.running = true;
  }
  post_change();
}

// `running` is false before the listener is asked to let go, so it cannot take the device up again meanwhile.
void Registration::stopped() {
  {
    const std::lock_guard lock(mutex);
    device.running = false;
  }
  listener.device_stopping();
  post_change();
}

void Registration::enabled(uint16_t vring, bool on) {
  {
    const std::lock_guard lock(mutex);
    if (vring < device.enabled.size()) device.enabled[vring] = on;
  }
  post_change();
}

bool Registration::discard(uint16_t vring, bool on) {
  const std::lock_guard lock(mutex);
  if (vring % 2 == 0 || vring >= device.enabled.size() || device.discarded[vring] == on) return false;
  if (on && !(device.running && device.enabled[vring])) return false;
  device.discarded[vring] = on;
  return true;
}

void Registration::post_change() {
  boost::asio::post(io, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    {
      const std::lock_guard lock(self->mutex);
      if (!self->open) return;
    }
    self->listener.device_changed();
  });
}

}  // namespace testbed::vhost
