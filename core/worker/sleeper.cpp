#include "core/worker/sleeper.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace testbed {

Sleeper::Sleeper() : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
  waiting_.push_back({wake_.get(), POLLIN, 0});
}

void Sleeper::wake() {
  const uint64_t one = 1;
  // It fails only when the count is full: then the wake-up is due already.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

bool Sleeper::arm(const std::vector<Executor::Source>& sources) {
  waiting_.resize(1);
  napping_ = false;
  for (const auto& source : sources) {
    const int fd = source.port->arm(source.queue);
    if (fd == Port::kReady) {
      disarm(sources);
      return false;
    }
    if (fd == Port::kNap) napping_ = true;
    if (fd >= 0) waiting_.push_back({fd, POLLIN, 0});
  }
  return true;
}

void Sleeper::disarm(const std::vector<Executor::Source>& sources) {
  for (const auto& source : sources) source.port->disarm(source.queue);
}

void Sleeper::wait() {
  const timespec nap = {0, nap_.count()};
  const int ready = ::ppoll(waiting_.data(), waiting_.size(), napping_ ? &nap : nullptr, nullptr);
  if (ready == 0) nap_ = std::min(nap_ * 2, kLongestNap);
  if (ready <= 0 || waiting_.front().revents == 0) return;
  uint64_t count;
  [[maybe_unused]] const ssize_t taken = ::read(wake_.get(), &count, sizeof count);
}

}  // namespace testbed
