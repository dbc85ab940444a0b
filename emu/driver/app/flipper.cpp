#include "emu/driver/app/flipper.hpp"

#include <cstring>

#include "core/base/clock.hpp"

namespace testbed::driver {
namespace {

template <typename T>
void store_as(uint8_t* where, const std::vector<uint8_t>& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  std::atomic_ref<T>(*reinterpret_cast<T*>(where)).store(value, std::memory_order_relaxed);
}

bool aligned(const uint8_t* where, size_t length) {
  return reinterpret_cast<uintptr_t>(where) % length == 0;
}

}  // namespace

Flipper::Flipper(uint8_t* where, std::vector<std::vector<uint8_t>> values, uint64_t hz)
    : where_(where), values_(std::move(values)), thread_([this, hz] { loop(hz); }) {
}

Flipper::~Flipper() {
  stop_ = true;
  thread_.join();
  store(values_.front());
}

void Flipper::store(const std::vector<uint8_t>& value) const {
  const size_t length = value.size();
  if (length == 8 && aligned(where_, 8)) return store_as<uint64_t>(where_, value);
  if (length == 4 && aligned(where_, 4)) return store_as<uint32_t>(where_, value);
  if (length == 2 && aligned(where_, 2)) return store_as<uint16_t>(where_, value);
  for (size_t i = 0; i < length; ++i)
    std::atomic_ref<uint8_t>(where_[i]).store(value[i], std::memory_order_relaxed);
}

void Flipper::loop(uint64_t hz) {
  uint64_t next_ns = now_ns();
  while (!stop_.load(std::memory_order_relaxed)) {
    const uint64_t turn = flips_.load(std::memory_order_relaxed) + 1;
    store(values_[turn % values_.size()]);
    flips_.store(turn, std::memory_order_relaxed);
    if (hz == 0) continue;
    next_ns += 1'000'000'000 / hz;
    const timespec until{static_cast<time_t>(next_ns / 1'000'000'000),
                         static_cast<long>(next_ns % 1'000'000'000)};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
}

}  // namespace testbed::driver
