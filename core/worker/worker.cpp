#include "core/worker/worker.hpp"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sys/prctl.h>
#include <time.h>

#include <string>

#include "core/base/clock.hpp"
#include "core/base/thread.hpp"

namespace testbed {

std::string_view to_string(WorkerState state) {
  switch (state) {
    case WorkerState::busy:
      return "busy";
    case WorkerState::yielding:
      return "yielding";
    case WorkerState::napping:
      return "napping";
    case WorkerState::sleeping:
      return "sleeping";
  }
  return "unknown";
}

Worker::Worker(uint16_t id, rte_mempool* pool, Handover& handover)
    : context_{.id = id, .pool = pool, .now_ns = now_ns()}, handover_(handover) {
}

// -- Control thread

Result<void> Worker::start(std::optional<int> cpu) {
  entered_ = 0;
  stopping_ = false;
  ladder_ = IdleLadder(cpu ? IdleLadder::kPinnedYieldNs : IdleLadder::kYieldNs);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), ("tb-worker" + std::to_string(context_.id)).c_str());
  if (cpu)
    if (auto pinned = pin_thread(thread_.native_handle(), static_cast<unsigned>(*cpu)); !pinned) {
      stop();
      return pinned;
    }
  entered_.wait(0);
  if (entered_ > 0) return {};
  stop();
  return fail(Errc::exhausted, "DPDK has no room for another worker thread");
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  sleeper_.wake();
  thread_.join();
}

Worker::Activity Worker::activity() const {
  return {state_.load(std::memory_order_relaxed), polls_.get(), bursts_.get(), packets_.get(),
          busy_cycles_.get()};
}

// -- The worker's thread

void Worker::run() {
  const bool registered = enter();
  entered_ = registered ? 1 : -1;
  entered_.notify_all();
  if (!registered) return;
  uint64_t before = rte_rdtsc();
  while (!stopping_.load(std::memory_order_relaxed)) {
    RunningPlan* next = handover_.plan.load(std::memory_order_acquire);
    if (next->serial != serial_) adopt(*next);
    const Executor::Round round = executor_->poll(context_);
    rte_rcu_qsbr_quiescent(handover_.quiescence, context_.id);
    const uint64_t tsc = rte_rdtsc();
    account(round, tsc - before);
    before = tsc;
    if (tsc - clock_tsc_ > cycles_per_ms_) refresh_clock(tsc);
    const Rest how =
        ladder_.next(round.packets > 0, static_cast<uint64_t>(static_cast<double>(tsc) * ns_per_cycle_));
    if (how.kind == Rest::Kind::none) continue;
    rest(how);
    before = rte_rdtsc();
  }
  rte_rcu_qsbr_thread_offline(handover_.quiescence, context_.id);
  rte_rcu_qsbr_thread_unregister(handover_.quiescence, context_.id);
  rte_thread_unregister();
}

bool Worker::enter() {
  // An lcore id gives this thread caches of its own in every mempool.
  if (rte_thread_register() != 0) return false;
  prctl(PR_SET_TIMERSLACK, 1UL);  // naps of microseconds that last microseconds
  cycles_per_ms_ = rte_get_tsc_hz() / 1000;
  ns_per_cycle_ = 1e9 / static_cast<double>(rte_get_tsc_hz());
  rte_rcu_qsbr_thread_register(handover_.quiescence, context_.id);
  rte_rcu_qsbr_thread_online(handover_.quiescence, context_.id);
  refresh_clock(rte_rdtsc());
  return true;
}

void Worker::adopt(RunningPlan& plan) {
  serial_ = plan.serial;
  executor_ = &plan.executors[context_.id];
  Sleeper::disarm(executor_->sources());
}

void Worker::account(const Executor::Round& round, uint64_t cycles) {
  polls_.add(1);
  if (round.packets == 0) return;
  bursts_.add(round.bursts);
  packets_.add(round.packets);
  busy_cycles_.add(cycles);
  set_state(WorkerState::busy);
  sleeper_.rested();
}

void Worker::refresh_clock(uint64_t tsc) {
  clock_tsc_ = tsc;
  context_.now_ns = now_ns();
}

void Worker::set_state(WorkerState state) {
  if (state_.load(std::memory_order_relaxed) != state) state_.store(state, std::memory_order_relaxed);
}

// Nothing is held between rounds, so nobody has to wait for a resting worker: it may not be scheduled for
// long.
void Worker::rest(Rest how) {
  if (how.kind == Rest::Kind::sleep) return sleep();
  set_state(how.kind == Rest::Kind::yield ? WorkerState::yielding : WorkerState::napping);
  rte_rcu_qsbr_thread_offline(handover_.quiescence, context_.id);
  if (how.kind == Rest::Kind::yield) {
    sched_yield();
  } else {
    const timespec nap = {0, how.nap_ns};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
  }
  rte_rcu_qsbr_thread_online(handover_.quiescence, context_.id);
}

// A plan published before arm() was begun is seen below; one published later comes with a wake().
void Worker::sleep() {
  const auto& sources = executor_->sources();
  if (!sleeper_.arm(sources)) return;
  if (handover_.plan.load(std::memory_order_acquire)->serial != serial_ || stopping_)
    return Sleeper::disarm(sources);
  set_state(WorkerState::sleeping);
  rte_rcu_qsbr_thread_offline(handover_.quiescence, context_.id);
  sleeper_.wait();
  rte_rcu_qsbr_thread_online(handover_.quiescence, context_.id);
  // From here on the old plan, and every port it names, may be gone: adopt() disarms what the new one has.
  if (handover_.plan.load(std::memory_order_acquire)->serial == serial_) Sleeper::disarm(sources);
  refresh_clock(rte_rdtsc());
}

}  // namespace testbed
