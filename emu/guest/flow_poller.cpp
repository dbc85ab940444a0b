#include "emu/guest/flow_poller.hpp"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

namespace testbed::guest {

namespace {

// Polls in one go, before others (the channel, signals) get their turn.
constexpr int kPolls = 8;
// Arming a timer and taking its interrupt costs about this much under TCG: what is due sooner is waited for
// by looking.
constexpr uint64_t kTooSoonNs = 30'000;
// Outages are noticed by polling: never rest longer.
constexpr uint64_t kLongestRestNs = 10'000'000;

}  // namespace

FlowPoller::FlowPoller(boost::asio::io_context& io, flow::FlowEngine& engine, const HostClock& clock)
    : io_(io), engine_(engine), clock_(clock), due_(io) {
  wake();
}

void FlowPoller::attach(const std::vector<int>& sockets) {
  detach();
  // Duplicates: closing the descriptors here must not close the sockets of their owner.
  for (const int fd : sockets) sockets_.emplace_back(io_, ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  waiting_.assign(sockets_.size(), false);
  wake();
}

void FlowPoller::detach() {
  sockets_.clear();
  waiting_.clear();
}

void FlowPoller::wake() {
  schedule();
}

void FlowPoller::schedule() {
  if (std::exchange(scheduled_, true)) return;
  boost::asio::post(io_, [this] { poll(); });
}

void FlowPoller::poll() {
  scheduled_ = false;
  flow::Activity activity;
  for (int i = 0; i < kPolls; ++i) {
    activity = engine_.poll();
    if (activity.frames == 0) break;
  }
  if (activity.frames || activity.busy || activity.next_send_ns < clock_.now() + kTooSoonNs)
    return schedule();
  wait(activity.next_send_ns);
}

void FlowPoller::wait(uint64_t next_send_ns) {
  for (size_t i = 0; i < sockets_.size(); ++i) {
    if (waiting_[i]) continue;
    waiting_[i] = true;
    sockets_[i].async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this, i](boost::system::error_code error) {
                             if (error) return;                             // detached
                             if (i < waiting_.size()) waiting_[i] = false;  // detached just now, perhaps
                             schedule();
                           });
  }
  const uint64_t until = clock_.to_guest(std::min(next_send_ns, clock_.now() + kLongestRestNs));
  due_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(until)));
  due_.async_wait([this](boost::system::error_code error) {
    if (!error) schedule();
  });
}

}  // namespace testbed::guest
