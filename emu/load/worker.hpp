// The one thread that polls all flows of a process. The two cores of a small machine are shared with the
// switch and the guests, so it polls without pause only while that is what the flows need: it spins while
// full bursts come, yields while a closed loop goes round, and otherwise sleeps: blindly for a little while
// after each frame, so that those that follow are taken together, and then until a backend calls (a frame
// came: the latency of a slow flow is the backend's, not this thread's) or a frame is due. In a virtual
// machine each sleep costs about 17 us of CPU, so frames that are due meanwhile leave together (their stamps
// are those of their leaving).
#pragma once

#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/fd.hpp"
#include "emu/flow/engine.hpp"
#include "emu/load/caller.hpp"

namespace testbed::load {

class Worker {
 public:
  static constexpr uint64_t kNap_ns = 100'000;  // after a frame, and what that may add to a latency
  static constexpr uint64_t kDoze_ns =
      1'000'000;  // the longest sleep: links come up, silences become outages
  // A closed loop that has not moved for this long is waited for asleep.
  static constexpr uint64_t kPatience_ns = 1'000'000;

  // `engine` outlives the worker. `cpu`: where it is pinned; anywhere when empty. `busy_poll`: it never
  // rests, for latencies in which no sleep of ours is contained. Throws std::system_error.
  Worker(flow::FlowEngine& engine, std::optional<unsigned> cpu, bool busy_poll = false);
  ~Worker();

  // Runs `work` between two polls and returns when it has run. Any thread but the worker's own; after stop()
  // it runs in the caller's.
  void run(const std::function<void()>& work);
  void stop();

  // Worker (inside run()): whose calls end a sleep from now on, until forgotten.
  void heed(Caller& caller) { callers_.push_back(&caller); }
  void forget(Caller& caller) { std::erase(callers_, &caller); }

 private:
  void loop(std::optional<unsigned> cpu);
  void run_queued();
  void rest(const flow::Activity& activity);
  void sleep_until_called(uint64_t longest_ns);
  void sleep(uint64_t ns);

  flow::FlowEngine& engine_;
  const bool busy_poll_;
  Fd wake_;  // eventfd
  std::mutex mutex_;
  std::condition_variable done_;
  std::vector<const std::function<void()>*> queued_;  // guarded by mutex_
  uint64_t finished_ = 0, accepted_ = 0;              // guarded by mutex_
  std::atomic<bool> pending_ = false;
  std::atomic<bool> stop_ = false;
  bool stopped_ = false;        // guarded by mutex_
  uint64_t last_frame_ns_ = 0;  // the worker's, as those that follow
  std::vector<Caller*> callers_;
  std::vector<pollfd> woken_by_;  // the first is wake_
  std::thread thread_;
};

}  // namespace testbed::load
