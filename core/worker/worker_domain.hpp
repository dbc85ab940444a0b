// All workers of the switch: their threads, their packet pools, the plan they run, and waiting for them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/event_log.hpp"
#include "core/base/result.hpp"
#include "core/graph/port.hpp"
#include "core/worker/assignment.hpp"
#include "core/worker/load_meter.hpp"
#include "core/worker/worker.hpp"

namespace testbed {

class WorkerDomain final : public Quiescence {
 public:
  struct Settings {
    uint16_t workers = 1;
    std::vector<int> cpus;             // worker i runs on cpus[i]; empty: anywhere
    uint32_t mbufs_per_worker = 1024;  // small: what circulates stays in the cache, and the start is short
  };
  static constexpr uint16_t kMaxWorkers = 64;

  // EAL is up. Makes the pools (event pool.up {mbufs}); no thread runs yet.
  static Result<std::unique_ptr<WorkerDomain>> create(Settings settings, EventLog& events);
  ~WorkerDomain() override;

  Result<void> start();
  // Every burst in hand is finished, no packet is received any more. Idempotent.
  void stop();

  // Hands over `plan` (its `polls` are filled in here, see assign_queues), and waits until no worker uses the
  // plan before it. Control thread. Events plan.published {generation, quiescence_us}, and for each queue
  // that changes its worker queue.moved {port, queue, from, to, gap_us (how long nobody polled it)}.
  void publish(Plan plan, AssignmentPolicy policy = AssignmentPolicy::round_robin);

  // Moves queues so that the cycles they took since the last call are shared out better, when that is worth
  // it. Control thread. Events queue.moved.
  void rebalance();

  void wait() override;
  void wake() override;

  // Of the plan in force, for a program that starts no workers and polls by itself. Valid until the next
  // publish().
  Executor& executor(uint16_t worker) { return plan_->executors[worker]; }
  uint16_t workers() const { return static_cast<uint16_t>(workers_.size()); }
  const std::vector<rte_mempool*>& pools() const { return pools_; }
  // The `workers` of the `status` reply.
  nlohmann::json status() const;
  const std::deque<Worker>& all() const { return workers_; }
  // By port, for each receive queue the worker that polls it.
  std::map<std::string, std::vector<uint16_t>> owners() const;

 private:
  WorkerDomain(Settings settings, EventLog& events);
  Result<void> make_pools();
  void hand_over(Plan plan);
  void run(Plan plan);

  struct FreeAligned {
    void operator()(void* memory) const { std::free(memory); }
  };

  Settings settings_;
  EventLog& events_;
  std::vector<rte_mempool*> pools_;
  std::unique_ptr<rte_rcu_qsbr, FreeAligned> quiescence_;
  Handover handover_;
  std::unique_ptr<RunningPlan> plan_;
  uint64_t serial_ = 0;
  LoadMeter meter_;
  uint64_t measured_tsc_ = 0;  // when it was last read
  std::deque<Worker> workers_;
};

// mbufs taken from any pool of this process and not given back.
uint64_t mbufs_in_use();

}  // namespace testbed
