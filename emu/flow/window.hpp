// The closed loop's arithmetic. The receiver says how many frames of the sender's epoch have passed it:
// arrived, or known to be lost because a later one of their stream arrived. Loss in the middle therefore
// never narrows the window; loss of the last frames shows as silence, and after a while the sender gives the
// rest up and feels its way with single frames.
#pragma once

#include <algorithm>
#include <cstdint>

namespace testbed::flow {

class Window {
 public:
  static constexpr uint64_t kMinTimeout_ns = 20'000'000, kMaxTimeout_ns = 1'000'000'000;

  explicit Window(uint32_t size) : size_(size) {}

  void restart(uint64_t now_ns) { progress_ns_ = now_ns; }
  void sent(uint32_t frames) { sent_ += frames; }

  // `receiver` is the number of this life of the receiver, not 0: one that was started anew counts from 0
  // again.
  void acknowledged(uint32_t receiver, uint64_t passed, uint64_t round_trip_ns, uint64_t now_ns) {
    if (receiver != receiver_) {
      if (receiver_ != 0) give_up(sent_ - passed_);
      passed_ = 0;
      receiver_ = receiver;
    }
    if (passed <= passed_) return;  // an older acknowledgement, overtaken
    passed_ = passed;
    // All that was given up has turned out to have passed after all, or more than that.
    if (passed_ >= settled_at_) given_up_ = 0;
    given_up_ = std::min(given_up_, sent_ > passed_ ? sent_ - passed_ : 0);
    round_trip_ns_ = round_trip_ns_ ? (7 * round_trip_ns_ + round_trip_ns) / 8 : round_trip_ns;
    progress_ns_ = now_ns;
    silent_ = false;
  }

  uint64_t in_flight() const { return sent_ - std::min(sent_, passed_ + given_up_); }

  // Frames that may be sent now.
  uint32_t allowance(uint64_t now_ns) {
    const uint64_t flying = in_flight();
    if (flying < (silent_ ? 1 : size_)) return static_cast<uint32_t>((silent_ ? 1 : size_) - flying);
    if (now_ns - progress_ns_ < timeout_ns()) return 0;
    give_up(given_up_ + flying);
    progress_ns_ = now_ns;
    silent_ = true;
    ++timeouts_;
    return 1;
  }

  uint64_t timeout_ns() const { return std::clamp(4 * round_trip_ns_, kMinTimeout_ns, kMaxTimeout_ns); }
  uint64_t timeouts() const { return timeouts_; }
  // Nothing has come back since the last time something was given up.
  bool silent() const { return silent_; }

 private:
  void give_up(uint64_t frames) {
    given_up_ = frames;
    settled_at_ = sent_;
  }

  uint32_t size_;
  uint32_t receiver_ = 0;
  uint64_t sent_ = 0, passed_ = 0;
  uint64_t given_up_ = 0;    // not counted as flying any more
  uint64_t settled_at_ = 0;  // what sent_ was when they were given up
  uint64_t round_trip_ns_ = 0;
  uint64_t progress_ns_ = 0;
  uint64_t timeouts_ = 0;
  bool silent_ = false;
};

}  // namespace testbed::flow
