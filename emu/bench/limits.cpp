#include "emu/bench/limits.hpp"

#include <pthread.h>
#include <x86intrin.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/thread.hpp"

namespace testbed::bench {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kFrames = 128;            // of one round: a few bursts
constexpr size_t kMostOctets = 256 << 10;  // of one round: stays in the caches that the other CPU owns
constexpr size_t kAhead = 16 * kLine;      // of a frame that is copied, others are fetched
constexpr uint64_t kTripsPerRound = 64;

void pin(int cpu) {
  if (auto pinned = pin_thread(pthread_self(), static_cast<unsigned>(cpu)); !pinned)
    throw std::runtime_error(pinned.error().message);
}

// The value that this share of all is below.
double quantile(std::vector<double>& values, double share) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(values.size()) * share);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}
constexpr double kMedian = 0.5;
constexpr double kFloor = 0.1;  // of what can be done at all; not the luckiest round

// Serialised on both sides, so that what is timed is what stands between.
uint64_t tick() {
  _mm_lfence();
  const uint64_t tsc = __rdtsc();
  _mm_lfence();
  return tsc;
}

// The thread at the other end, and the line by which the two take turns: odd numbers are its turn.
class OtherSide {
 public:
  // `turn` runs there once for each of ours.
  OtherSide(int cpu, std::function<void()> turn) : turn_(std::move(turn)) {
    thread_ = std::thread([this, cpu] { serve(cpu); });
    while (state_.load() == State::starting) std::this_thread::yield();
    if (state_ == State::ready) return;
    thread_.join();
    throw std::runtime_error("cannot run a thread on cpu " + std::to_string(cpu));
  }
  ~OtherSide() {
    stop_ = true;
    thread_.join();
  }
  OtherSide(const OtherSide&) = delete;
  OtherSide& operator=(const OtherSide&) = delete;

  // Hands over, and returns when the turn is ours again.
  void take_turn() {
    const uint64_t mine = number_.load(std::memory_order_relaxed);
    number_.store(mine + 1, std::memory_order_release);
    while (number_.load(std::memory_order_acquire) == mine + 1) _mm_pause();
  }

 private:
  enum class State : uint8_t { starting, ready, failed };

  void serve(int cpu) {
    if (!pin_thread(pthread_self(), static_cast<unsigned>(cpu))) {
      state_ = State::failed;
      return;
    }
    state_ = State::ready;
    while (!stop_.load(std::memory_order_relaxed)) {
      const uint64_t number = number_.load(std::memory_order_acquire);
      if (number % 2 == 0) {
        _mm_pause();
        continue;
      }
      if (turn_) turn_();
      number_.store(number + 1, std::memory_order_release);
    }
  }

  alignas(kLine) std::atomic<uint64_t> number_ = 0;
  alignas(kLine) std::atomic<bool> stop_ = false;
  std::atomic<State> state_ = State::starting;
  std::function<void()> turn_;
  std::thread thread_;
};

// Rounds until the budget is used up; `round` returns its cost. At least three.
double cost_of_rounds(std::chrono::milliseconds budget, double share, const std::function<double()>& round) {
  const uint64_t end_ns = now_ns() + static_cast<uint64_t>(std::chrono::nanoseconds(budget).count());
  std::vector<double> costs;
  while (costs.size() < 3 || now_ns() < end_ns) costs.push_back(round());
  return quantile(costs, share);
}

// Frames of `octets` one after another, each at the start of a cache line.
class Frames {
 public:
  explicit Frames(uint32_t octets)
      : octets_(octets),
        stride_((octets + kLine - 1) / kLine * kLine),
        count_(std::clamp<size_t>(kMostOctets / stride_, 8, kFrames)),
        memory_(static_cast<uint8_t*>(std::aligned_alloc(kLine, stride_ * count_)), std::free) {
    if (!memory_) throw std::bad_alloc();
    write(0);
  }
  size_t count() const { return count_; }
  void write(uint8_t value) { std::memset(memory_.get(), value, stride_ * count_); }
  // Frames are asked for before they are needed, as many as the CPU can wait for at once.
  void copy_from(const Frames& source) {
    const size_t end = stride_ * count_;
    const size_t ahead = std::max<size_t>(kAhead / stride_, 1) * stride_;
    for (size_t at = 0; at < end; at += stride_) {
      for (size_t line = at + ahead; line < std::min(at + ahead + stride_, end); line += kLine) {
        __builtin_prefetch(source.memory_.get() + line, 0, 3);
        __builtin_prefetch(memory_.get() + line, 1, 3);
      }
      std::memcpy(memory_.get() + at, source.memory_.get() + at, octets_);
    }
  }

 private:
  size_t octets_, stride_, count_;
  std::unique_ptr<uint8_t, decltype(&std::free)> memory_;
};

double copy_round(Frames& from, Frames& to) {
  const uint64_t before = tick();
  to.copy_from(from);
  return static_cast<double>(tick() - before) / static_cast<double>(to.count());
}

// Runs `measure` on a thread of its own, pinned: the caller's affinity is not ours to change.
void pinned_to(int cpu, const std::function<void()>& measure) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      pin(cpu);
      measure();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

double ping_pong_cycles(Cpus cpus, std::chrono::milliseconds budget) {
  double cycles = 0;
  pinned_to(cpus.here, [&] {
    OtherSide other(cpus.there, nullptr);
    cycles = cost_of_rounds(budget, kMedian, [&] {
      const uint64_t before = tick();
      for (uint64_t trip = 0; trip < kTripsPerRound; ++trip) other.take_turn();
      return static_cast<double>(tick() - before) / (2.0 * kTripsPerRound);
    });
  });
  return cycles;
}

Copies copy_cycles(Cpus cpus, uint32_t octets, std::chrono::milliseconds budget) {
  Copies cycles{};
  pinned_to(cpus.here, [&] {
    Frames theirs(octets), ours(octets), more(octets);
    uint8_t value = 0;
    OtherSide other(cpus.there, [&] { theirs.write(++value); });
    const auto third = budget / 3;
    cycles.local = cost_of_rounds(third, kFloor, [&] { return copy_round(more, ours); });
    cycles.fetch = cost_of_rounds(third, kFloor, [&] {
      other.take_turn();
      return copy_round(theirs, ours);
    });
    cycles.claim = cost_of_rounds(third, kFloor, [&] {
      other.take_turn();
      return copy_round(ours, theirs);
    });
  });
  return cycles;
}

double tsc_hz(std::chrono::milliseconds budget) {
  const uint64_t start_ns = now_ns(), start = __rdtsc();
  std::this_thread::sleep_for(budget);
  const uint64_t end = __rdtsc(), end_ns = now_ns();
  return static_cast<double>(end - start) * 1e9 / static_cast<double>(end_ns - start_ns);
}

}  // namespace testbed::bench
