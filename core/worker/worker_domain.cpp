#include "core/worker/worker_domain.hpp"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sched.h>
#include <time.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "core/base/assert.hpp"
#include "core/base/clock.hpp"
#include "core/worker/balance.hpp"

namespace testbed {
namespace {

nlohmann::json json_of(const Plan& plan, const std::vector<PlanQueue>& queues) {
  nlohmann::json all = nlohmann::json::array();
  for (const PlanQueue& queue : queues)
    all.push_back({{"port", plan.ports[queue.port].port->name()}, {"queue", queue.queue}});
  return all;
}

}  // namespace

Result<std::unique_ptr<WorkerDomain>> WorkerDomain::create(Settings settings, EventLog& events) {
  std::unique_ptr<WorkerDomain> domain(new WorkerDomain(std::move(settings), events));
  if (auto made = domain->make_pools(); !made) return tl::unexpected(made.error());
  for (uint16_t id = 0; id < domain->settings_.workers; ++id)
    domain->workers_.emplace_back(id, domain->pools_[id], domain->handover_);
  return domain;
}

WorkerDomain::WorkerDomain(Settings settings, EventLog& events)
    : settings_(std::move(settings)), events_(events) {
  TB_ASSERT(settings_.workers >= 1 && settings_.workers <= kMaxWorkers);
  const size_t size =
      (rte_rcu_qsbr_get_memsize(settings_.workers) + kCacheLine - 1) / kCacheLine * kCacheLine;
  quiescence_.reset(static_cast<rte_rcu_qsbr*>(std::aligned_alloc(kCacheLine, size)));
  TB_ASSERT(quiescence_ && rte_rcu_qsbr_init(quiescence_.get(), settings_.workers) == 0);
  handover_.quiescence = quiescence_.get();
  Plan nothing;
  nothing.polls.resize(settings_.workers);
  plan_ = std::make_unique<RunningPlan>(std::move(nothing), settings_.workers, ++serial_);
  handover_.plan = plan_.get();
}

WorkerDomain::~WorkerDomain() {
  stop();
  for (rte_mempool* pool : pools_) rte_mempool_free(pool);
}

Result<void> WorkerDomain::make_pools() {
  static std::atomic<unsigned> number = 0;  // pools of one process need different names
  constexpr unsigned kCached = 128;         // a burst or two stay with the worker's core
  for (uint16_t id = 0; id < settings_.workers; ++id) {
    const std::string name = "tb_worker_" + std::to_string(number++);
    rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), settings_.mbufs_per_worker, kCached, 0,
                                                RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (!pool)
      return fail(Errc::exhausted, "no memory for " + std::to_string(settings_.mbufs_per_worker) +
                                       " mbufs for each of " + std::to_string(settings_.workers) +
                                       " workers: " + rte_strerror(rte_errno) +
                                       "; raise memory_mb or lower mbufs");
    pools_.push_back(pool);
  }
  events_.emit("pool.up", {{"mbufs", settings_.mbufs_per_worker * settings_.workers}});
  return {};
}

Result<void> WorkerDomain::start() {
  for (size_t i = 0; i < workers_.size(); ++i) {
    const auto cpu =
        settings_.cpus.empty() ? std::nullopt : std::optional(settings_.cpus[i % settings_.cpus.size()]);
    if (auto started = workers_[i].start(cpu); !started) {
      stop();
      return started;
    }
  }
  return {};
}

void WorkerDomain::stop() {
  for (auto& worker : workers_) worker.stop();
}

void WorkerDomain::publish(Plan plan, AssignmentPolicy policy) {
  assign_queues(plan, plan_->plan, settings_.workers, policy);
  const uint64_t generation = plan.generation;
  const uint64_t start = now_ns();
  hand_over(std::move(plan));
  events_.emit("plan.published", {{"generation", generation}, {"quiescence_us", (now_ns() - start) / 1000}});
}

void WorkerDomain::rebalance() {
  const uint64_t now = rte_rdtsc();
  auto loads = meter_.read(plan_->plan);
  const uint64_t span = now - std::exchange(measured_tsc_, now);
  const auto moves = balance(std::move(loads), settings_.workers, span);
  if (moves.empty()) return;
  Plan plan = plan_->plan;
  for (const QueueMove& move : moves) {
    std::erase(plan.polls[move.from], move.queue);
    plan.polls[move.to].push_back(move.queue);
  }
  hand_over(std::move(plan));
}

// A queue that moves is polled by nobody for a moment: when the first plan has taken over, its old worker has
// finished its last burst and holds nothing of it; only then does the new one begin.
void WorkerDomain::hand_over(Plan plan) {
  const auto moves = moved_queues(plan_->plan, plan);
  const uint64_t start = now_ns();
  if (!moves.empty()) run(without(plan, moves));
  run(std::move(plan));
  for (const QueueMove& move : moves)
    events_.emit("queue.moved", {{"port", plan_->plan.ports[move.queue.port].port->name()},
                                 {"queue", move.queue.queue},
                                 {"from", move.from},
                                 {"to", move.to},
                                 {"gap_us", (now_ns() - start) / 1000}});
}

void WorkerDomain::run(Plan plan) {
  auto next = std::make_unique<RunningPlan>(std::move(plan), settings_.workers, ++serial_);
  handover_.plan.store(next.get(), std::memory_order_release);
  wake();
  wait();
  plan_ = std::move(next);  // nobody runs the old one any more
}

// Polite: the worker that is waited for may need this very core.
void WorkerDomain::wait() {
  constexpr int kYields = 50;
  constexpr timespec kPause = {0, 20'000};
  const uint64_t token = rte_rcu_qsbr_start(quiescence_.get());
  for (int tries = 0; rte_rcu_qsbr_check(quiescence_.get(), token, false) == 0; ++tries) {
    if (tries < kYields)
      sched_yield();
    else
      clock_nanosleep(CLOCK_MONOTONIC, 0, &kPause, nullptr);
  }
}

void WorkerDomain::wake() {
  for (auto& worker : workers_) worker.wake();
}

nlohmann::json WorkerDomain::status() const {
  nlohmann::json all = nlohmann::json::array();
  for (size_t i = 0; i < workers_.size(); ++i) {
    const auto activity = workers_[i].activity();
    const nlohmann::json cpu =
        settings_.cpus.empty() ? nlohmann::json() : nlohmann::json(settings_.cpus[i % settings_.cpus.size()]);
    all.push_back({{"id", i},
                   {"cpu", cpu},
                   {"state", to_string(activity.state)},
                   {"polls", activity.polls},
                   {"bursts", activity.bursts},
                   {"packets", activity.packets},
                   {"busy_cycles", activity.busy_cycles},
                   {"queues", json_of(plan_->plan, plan_->plan.polls[i])}});
  }
  return all;
}

std::map<std::string, std::vector<uint16_t>> WorkerDomain::owners() const {
  std::map<std::string, std::vector<uint16_t>> owners;
  const Plan& plan = plan_->plan;
  for (size_t worker = 0; worker < plan.polls.size(); ++worker) {
    for (const PlanQueue& queue : plan.polls[worker]) {
      auto& of_port = owners[plan.ports[queue.port].port->name()];
      of_port.resize(plan.ports[queue.port].port->queues());
      of_port[queue.queue] = static_cast<uint16_t>(worker);
    }
  }
  return owners;
}

uint64_t mbufs_in_use() {
  uint64_t in_use = 0;
  rte_mempool_walk(
      [](rte_mempool* pool, void* sum) { *static_cast<uint64_t*>(sum) += rte_mempool_in_use_count(pool); },
      &in_use);
  return in_use;
}

}  // namespace testbed
