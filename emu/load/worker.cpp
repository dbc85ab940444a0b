#include "emu/load/worker.hpp"

#include <pthread.h>
#include <rte_lcore.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "core/base/thread.hpp"

namespace testbed::load {

Worker::Worker(flow::FlowEngine& engine, std::optional<unsigned> cpu, bool busy_poll)
    : engine_(engine),
      busy_poll_(busy_poll),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      woken_by_{{wake_.get(), POLLIN, 0}} {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::thread([this, cpu] { loop(cpu); });
}

Worker::~Worker() {
  stop();
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void Worker::run(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  if (stopped_) return work();
  queued_.push_back(&work);
  const uint64_t ticket = ++accepted_;
  pending_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  done_.wait(lock, [&] { return finished_ >= ticket; });
}

void Worker::run_queued() {
  std::unique_lock lock(mutex_);
  pending_ = false;
  uint64_t drained;
  (void)!::read(wake_.get(), &drained, sizeof drained);
  const auto all = std::move(queued_);
  queued_.clear();
  lock.unlock();
  for (const auto* work : all) (*work)();
  lock.lock();
  finished_ += all.size();
  done_.notify_all();
}

void Worker::loop(std::optional<unsigned> cpu) {
  pthread_setname_np(pthread_self(), "flows");
  ::prctl(PR_SET_TIMERSLACK, 1);  // the kernel adds 50 us to every sleep otherwise
  if (cpu) (void)pin_thread(pthread_self(), *cpu);  // where it may not run it runs elsewhere
  rte_thread_register();  // an lcore's number gives this thread its own cache in every mempool
  while (!stop_.load(std::memory_order_relaxed)) {
    if (pending_.load(std::memory_order_acquire)) run_queued();
    const flow::Activity activity = engine_.poll();
    if (busy_poll_) continue;
    if (activity.frames == 0 || (!activity.busy && activity.frames < flow::kBurst))
      rest(activity);
    else
      last_frame_ns_ = engine_.now();
  }
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  run_queued();
  rte_thread_unregister();
}

void Worker::rest(const flow::Activity& activity) {
  const uint64_t now_ns = engine_.now();
  if (activity.frames > 0) last_frame_ns_ = now_ns;
  if (activity.busy && now_ns - last_frame_ns_ < kPatience_ns) {
    ::sched_yield();
    return;
  }
  const uint64_t due_ns = activity.next_send_ns - std::min(activity.next_send_ns, now_ns);
  if (activity.frames > 0 || due_ns < kNap_ns) return sleep(kNap_ns);
  sleep_until_called(std::min(due_ns, kDoze_ns));
}

// What came between the last look and the request for calls is announced by nobody: one look more.
void Worker::sleep_until_called(uint64_t longest_ns) {
  woken_by_.resize(1);
  for (Caller* caller : callers_)
    if (caller->ask_for_calls())
      for (const int fd : caller->call_fds()) woken_by_.push_back({fd, POLLIN, 0});
  if (engine_.poll().frames > 0)
    last_frame_ns_ = engine_.now();
  else
    sleep(longest_ns);
  woken_by_.resize(1);
  for (Caller* caller : callers_) caller->refuse_calls();
}

void Worker::sleep(uint64_t ns) {
  const timespec timeout{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  ::ppoll(woken_by_.data(), woken_by_.size(), &timeout, nullptr);
}

}  // namespace testbed::load
