// Who may touch a port's rings: the worker, or the driver's interrupt thread while it puts them back after
// the backend died.
//
// The driver resets packed rings from its interrupt thread when a backend returns, and gives the polling
// thread one millisecond to be out of them. On a machine with fewer cores than threads a millisecond is
// nothing: a worker that was scheduled away in the middle of a burst would wake up in rings that were rebuilt
// under it. So the link going down, which always comes first, waits here until the worker has taken what had
// arrived (it is lost otherwise) and has let go.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace testbed::load {

class Access {
 public:
  // -- Worker.
  bool may_send() const { return state_.load(std::memory_order_acquire) == State::open; }
  bool may_receive() const { return state_.load(std::memory_order_acquire) != State::closed; }
  bool draining() const { return state_.load(std::memory_order_acquire) == State::draining; }
  // A round over all receive queues found nothing: once the link is down, that was the last.
  void drained() {
    if (!draining()) [[likely]]
      return;
    const std::lock_guard lock(mutex_);
    state_.store(State::closed, std::memory_order_release);
    closed_.notify_all();
  }
  // From now on (or until it left) the worker polls this port.
  void attach() { set_attached(true); }
  void leave() { set_attached(false); }

  // -- The interrupt thread, and whoever opens the port. `up` is the driver's link state.
  void follow(bool up) {
    std::unique_lock lock(mutex_);
    if (up) return state_.store(State::open, std::memory_order_release);
    if (state_ == State::closed) return;
    state_.store(attached_ ? State::draining : State::closed, std::memory_order_release);
    closed_.wait_for(lock, kPatience, [this] { return state_ == State::closed; });
    state_.store(State::closed, std::memory_order_release);
  }

 private:
  enum class State : uint8_t { closed, draining, open };
  // A worker that takes longer than this is not scheduled at all (stopped, in a debugger).
  static constexpr std::chrono::seconds kPatience{2};

  void set_attached(bool attached) {
    const std::lock_guard lock(mutex_);
    attached_ = attached;
    if (attached || state_ != State::draining) return;
    state_.store(State::closed, std::memory_order_release);
    closed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable closed_;
  std::atomic<State> state_ = State::closed;
  bool attached_ = false;
};

}  // namespace testbed::load
