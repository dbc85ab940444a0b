#include "emu/driver/app/data_thread.hpp"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>

#include "core/base/clock.hpp"

namespace testbed::driver {
namespace {

// Whoever polls an empty queue may take the time of the one who would fill it: after a few looks the others
// run first.
constexpr unsigned kLooks = 8;
constexpr unsigned kIdlePolls = 200;   // before the first rest: some tens of microseconds
constexpr uint64_t kSpin_ns = 60'000;  // a frame that is due sooner is waited for awake
constexpr uint64_t kLongest_ns = 100'000'000;
constexpr uint64_t kPolledNap_ns = 50'000;

}  // namespace

DataThread::DataThread(EventLog& events)
    : engine_(
          [&events](std::string_view name, nlohmann::json fields) { events.emit(name, std::move(fields)); }),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      thread_([this] { loop(); }) {
}

DataThread::~DataThread() {
  stop_ = true;
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void DataThread::run(const std::function<void()>& work) {
  Ticket ticket{&work};
  std::unique_lock lock(mutex_);
  tickets_.push_back(&ticket);
  waiting_.store(true);
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  finished_.wait(lock, [&] { return ticket.done; });
}

void DataThread::add(NetDevice& device, bool interrupts) {
  (interrupts ? interrupted_ : polled_).insert(&device);
}

void DataThread::remove(NetDevice& device) {
  interrupted_.erase(&device);
  polled_.erase(&device);
}

bool DataThread::do_work() {
  if (!waiting_.load(std::memory_order_relaxed)) return false;
  const std::lock_guard lock(mutex_);
  waiting_.store(false);
  for (Ticket* ticket : tickets_) {
    (*ticket->work)();
    ticket->done = true;
  }
  tickets_.clear();
  uint64_t count;
  (void)!::read(wake_.get(), &count, sizeof count);
  finished_.notify_all();
  return true;
}

void DataThread::loop() {
  ::prctl(PR_SET_TIMERSLACK, 1);
  unsigned idle = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    const bool worked = do_work();
    const flow::Activity activity = engine_.poll();
    if (worked || activity.frames > 0) {
      idle = 0;
    } else if (++idle > kIdlePolls) {
      rest(activity);
      idle = activity.busy ? 0 : kIdlePolls - 20;  // a look or two before the next rest
    } else if (idle > kLooks) {
      ::sched_yield();
    }
  }
}

bool DataThread::arm_all() {
  bool quiet = true;
  watched_.assign(1, {wake_.get(), POLLIN, 0});
  for (NetDevice* device : interrupted_) {
    if (!device->link_up()) continue;
    quiet &= device->arm();
    for (size_t pair = 0; pair < device->queues(); ++pair)
      watched_.push_back({device->rx(pair).call_fd(), POLLIN, 0});
  }
  return quiet;
}

void DataThread::rest(const flow::Activity& activity) {
  const uint64_t now = now_ns();
  if (activity.next_send_ns < now + kSpin_ns) {
    ::sched_yield();
    return;
  }
  uint64_t at_most = std::min(kLongest_ns, activity.next_send_ns - now - kSpin_ns / 2);
  const auto up = [](const NetDevice* device) { return device->link_up(); };
  if (std::ranges::any_of(polled_, up)) at_most = std::min(at_most, kPolledNap_ns);
  if (arm_all() && !waiting_.load()) {
    const timespec timeout{static_cast<time_t>(at_most / 1'000'000'000),
                           static_cast<long>(at_most % 1'000'000'000)};
    ::ppoll(watched_.data(), watched_.size(), &timeout, nullptr);
  }
  for (NetDevice* device : interrupted_)
    if (device->link_up()) device->disarm();
}

}  // namespace testbed::driver
