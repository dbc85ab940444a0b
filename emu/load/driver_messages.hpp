// What DPDK's driver says on its vhost-user sockets, and what it forgets to say.
//
// virtio_user (22.11) remembers which queue pairs it has enabled, and does not say so again to a backend that
// comes back: before it takes one back it disables them, which makes it forget. When that connection breaks
// in the middle of its first message the driver still believes that they are enabled, starts its rings on the
// next connection, and never says SET_VRING_ENABLE: its rings stay disabled for good. Here its messages are
// looked at (sendmsg() is wrapped when the program is linked), and once its link is up what is missing is
// said for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace testbed::load {

// Those of one socket, which the driver serves at `path`, for as long as this lives. Any thread.
class DriverMessages {
 public:
  explicit DriverMessages(std::string path);
  ~DriverMessages();
  DriverMessages(const DriverMessages&) = delete;
  DriverMessages& operator=(const DriverMessages&) = delete;

  // Says SET_VRING_ENABLE for every virtqueue that was started on the present connection and not enabled.
  // Returns which. Call it where the driver itself does not write: on its interrupt thread.
  std::vector<uint32_t> enable_forgotten();

 private:
  std::string path_;
};

}  // namespace testbed::load
