// One polling thread. It runs the plan it was last handed, says after every round that it holds nothing old
// any more (rte_rcu_qsbr), and rests when there is nothing to do.
#pragma once

#include <rte_rcu_qsbr.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <thread>

#include "core/base/counter.hpp"
#include "core/base/result.hpp"
#include "core/graph/port.hpp"
#include "core/worker/idle.hpp"
#include "core/worker/running_plan.hpp"
#include "core/worker/sleeper.hpp"

namespace testbed {

// What all workers share with control.
struct Handover {
  std::atomic<RunningPlan*> plan = nullptr;  // control: rw, dataplane: ro
  rte_rcu_qsbr* quiescence = nullptr;
};

enum class WorkerState : uint8_t { busy, yielding, napping, sleeping };
std::string_view to_string(WorkerState state);

class alignas(64) Worker {
 public:
  // `handover` outlives this and holds a plan before start().
  Worker(uint16_t id, rte_mempool* pool, Handover& handover);
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // -- Control thread.
  // `cpu`: where it runs; nullopt: anywhere. Returns when the thread polls, or says why it cannot.
  Result<void> start(std::optional<int> cpu);
  // Returns when the burst in hand is done and the thread has ended. Idempotent.
  void stop();
  // Any thread.
  void wake() { sleeper_.wake(); }

  struct Activity {
    WorkerState state;
    uint64_t polls, bursts, packets, busy_cycles;
  };
  Activity activity() const;

 private:
  void run();
  bool enter();
  void adopt(RunningPlan& plan);
  void account(const Executor::Round& round, uint64_t cycles);
  void refresh_clock(uint64_t tsc);
  void rest(Rest how);
  void sleep();
  void set_state(WorkerState state);

  WorkerContext context_;
  Handover& handover_;
  Sleeper sleeper_;
  IdleLadder ladder_;
  uint64_t serial_ = 0;  // of the plan in hand; its address may be that of a new one after a rest
  Executor* executor_ = nullptr;
  uint64_t clock_tsc_ = 0;  // when context_.now_ns was last refreshed
  uint64_t cycles_per_ms_ = 1;
  double ns_per_cycle_ = 1;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> entered_ = 0;  // 1: polls, -1: could not register

  // dataplane: rw, control: ro
  alignas(64) std::atomic<WorkerState> state_ = WorkerState::busy;
  Counter polls_, bursts_, packets_, busy_cycles_;
  std::thread thread_;
};

}  // namespace testbed
