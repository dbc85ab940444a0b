// A worker's bed: arms its queues and waits until one of them, or somebody's wake(), has news.
//
// The descriptors are given to poll() anew each time instead of being kept in an epoll set: a kick descriptor
// is shared with the guest's process, so epoll would go on reporting it after the port has closed its own
// end, with no way to take it out.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/base/fd.hpp"
#include "core/graph/executor.hpp"

namespace testbed {

class Sleeper {
 public:
  Sleeper();  // throws std::system_error when there is no descriptor left

  // Any thread: ends the present or the next wait().
  void wake();

  // -- The worker.
  // Asks every queue for a wake-up. False: one has work already; none is armed then.
  bool arm(const std::vector<Executor::Source>& sources);
  static void disarm(const std::vector<Executor::Source>& sources);
  // Waits for what was armed. Touches no port. Queues that cannot wake anybody are looked at after a nap that
  // grows with every wait until `rested()`.
  void wait();
  // There was work: naps are short again.
  void rested() { nap_ = kShortestNap; }

 private:
  static constexpr std::chrono::nanoseconds kShortestNap{50'000}, kLongestNap{500'000};

  Fd wake_;
  std::vector<pollfd> waiting_;  // the first is wake_
  bool napping_ = false;         // some queue cannot wake us
  std::chrono::nanoseconds nap_ = kShortestNap;
};

}  // namespace testbed
