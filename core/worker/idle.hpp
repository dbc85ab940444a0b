// How a worker that finds nothing gets out of the way: it looks again at once, then lets others run, then
// sleeps shortly, then waits for a kick. Pure: time comes in, advice comes out.
//
// The machine may have two cores for the switch, its guests and the load: whoever polls an empty queue takes
// the time of the one who would fill it, so looking again at once ends after a few rounds.
#pragma once

#include <cstdint>

namespace testbed {

struct Rest {
  enum class Kind : uint8_t { none, yield, nap, sleep };
  Kind kind = Kind::none;
  uint32_t nap_ns = 0;
};

class IdleLadder {
 public:
  static constexpr uint32_t kSpinRounds = 4;
  static constexpr uint64_t kYieldNs = 20'000;  // since the last packet
  // Of who was given a CPU: a nap ends tens of microseconds late on a VM, and is what the slowest packets wait for.
  static constexpr uint64_t kPinnedYieldNs = 200'000;
  static constexpr uint32_t kShortestNapNs = 5'000, kLongestNapNs = 40'000;
  static constexpr uint64_t kNapNs = 1'000'000;  // since the last packet; then sleep

  explicit IdleLadder(uint64_t yield_ns = kYieldNs) : yield_ns_(yield_ns) {}

  // After each round. `now_ns` is any steady clock.
  Rest next(bool worked, uint64_t now_ns) {
    if (worked) {
      last_work_ns_ = now_ns;
      empty_rounds_ = 0;
      nap_ns_ = kShortestNapNs;
      return {};
    }
    if (++empty_rounds_ <= kSpinRounds) return {};
    const uint64_t idle_ns = now_ns - last_work_ns_;
    if (idle_ns < yield_ns_) return {Rest::Kind::yield};
    if (idle_ns >= kNapNs) return {Rest::Kind::sleep};
    const uint32_t nap = nap_ns_;
    nap_ns_ = nap * 2 < kLongestNapNs ? nap * 2 : kLongestNapNs;
    return {Rest::Kind::nap, nap};
  }

 private:
  uint64_t yield_ns_;
  uint64_t last_work_ns_ = 0;
  uint32_t empty_rounds_ = 0;
  uint32_t nap_ns_ = kShortestNapNs;
};

}  // namespace testbed
