// Follows /dev/kmsg and tells of what the kernel found wrong: records of level error or worse, and warnings
// with a back trace whatever their level. From the first record of this boot on.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace testbed::guest {

struct KernelRecord {
  unsigned level = 0;  // 0 emergency .. 7 debug
  uint64_t t_ns = 0;   // CLOCK_MONOTONIC of the guest
  std::string text;    // one line
};

// One record as read(2) gives it (Linux: Documentation/ABI/testing/dev-kmsg). Nothing when it is not of the
// kernel's own.
std::optional<KernelRecord> parse_kernel_record(std::string_view record);

// Level <= 3, or the first line of a WARNING, BUG, Oops or stall.
bool is_kernel_error(const KernelRecord& record);

class KernelLog {
 public:
  // A guest that warns without end must not fill the channel: after this many of a boot, silence.
  static constexpr unsigned kMaxTold = 200;
  using Listener = std::function<void(const KernelRecord&)>;

  KernelLog(boost::asio::io_context& io, Listener listener) : device_(io), listener_(std::move(listener)) {}
  Result<void> follow();

 private:
  void wait();
  void drain();

  boost::asio::posix::stream_descriptor device_;
  Listener listener_;
  unsigned told_ = 0;
};

}  // namespace testbed::guest
