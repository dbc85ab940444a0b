// One path registered with librte_vhost, and its callbacks, which know a device by its number only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/result.hpp"
#include "vdev/vhost/library_link.hpp"

namespace testbed::vhost {

struct Registration : std::enable_shared_from_this<Registration> {
  Registration(boost::asio::io_context& loop, std::string socket, DeviceListener& to)
      : io(loop), path(std::move(socket)), listener(to) {}

  Result<void> enter();  // registers path and callbacks
  Result<void> start();  // the library connects to path before this returns
  void leave();          // the device is stopped, destroyed, and no callback comes afterwards

  // -- The library's thread, or leave()'s.
  void connected(int vid);
  void started();
  void stopped();
  void enabled(uint16_t vring, bool on);

  // Control thread. True if it changed: only a queue that the library has enabled can be discarded.
  bool discard(uint16_t vring, bool on);

  void post_change();

  boost::asio::io_context& io;
  const std::string path;
  DeviceListener& listener;
  std::mutex mutex;  // guards the two below
  Device device;
  bool open = false;  // the listener may be told
};

}  // namespace testbed::vhost
