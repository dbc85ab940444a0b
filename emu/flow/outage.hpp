// Outages of a flow as its receiver sees them: silences longer than a threshold while the sender was sending.
//
// A sender that was told to stop is silent too. Every probe carries its sender's age, the time since the flow
// was last started, and a silence is counted from there at the earliest: what lies before is the sender's own
// pause.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace testbed::flow {

struct Outage {
  uint64_t start_ns, end_ns;  // end 0: not over yet
};

class OutageDetector {
 public:
  static constexpr size_t kMaxKept = 4096;
  static constexpr uint64_t kMinThreshold_ns = 20'000'000;
  static constexpr double kIntervals = 20;

  void set_threshold(uint64_t ns) { threshold_ns_ = ns; }
  // max(20 ms, 20 intervals of the rate); a rate of 0 says nothing.
  void set_threshold_for(double rate_pps) {
    const double intervals_ns = rate_pps > 0 ? kIntervals * 1e9 / rate_pps : 0;
    threshold_ns_ = std::max(kMinThreshold_ns, static_cast<uint64_t>(intervals_ns));
  }
  uint64_t threshold_ns() const { return threshold_ns_; }

  // A good packet came; the sender had been sending for `sending_ns` by then. True when the flow begins to
  // move: with the first packet, and with the first after a silence that was announced.
  bool arrived(uint64_t now_ns, uint64_t sending_ns) {
    const uint64_t silence = now_ns > last_ns_ ? now_ns - last_ns_ : 0;
    const bool first = last_ns_ == 0;
    if (!first && silence > threshold_ns_ && std::min(silence, sending_ns) > threshold_ns_) [[unlikely]]
      keep({now_ns - std::min(silence, sending_ns), now_ns});
    last_ns_ = std::max(last_ns_, now_ns);
    return std::exchange(announced_, false) || first;
  }

  // True once when the threshold has passed without a packet.
  bool fell_silent(uint64_t now_ns) {
    if (last_ns_ == 0 || announced_ || now_ns <= last_ns_ + threshold_ns_) return false;
    announced_ = true;
    return true;
  }

  uint64_t last_ns() const { return last_ns_; }
  bool silent() const { return announced_; }
  const std::vector<Outage>& outages() const { return outages_; }
  uint64_t dropped() const { return dropped_; }  // outages beyond kMaxKept

 private:
  void keep(Outage outage) {
    if (outages_.size() < kMaxKept)
      outages_.push_back(outage);
    else
      ++dropped_;
  }

  uint64_t threshold_ns_ = kMinThreshold_ns;
  uint64_t last_ns_ = 0;
  bool announced_ = false;
  std::vector<Outage> outages_;
  uint64_t dropped_ = 0;
};

}  // namespace testbed::flow
