// When is a ring stuck? librte_vhost gives up at a descriptor it cannot follow and says nothing: the ring has
// buffers for ever and yields none. So it is stuck when buffers wait, the position does not move, and it was
// polled in vain again and again, for longer than any burst or sleep takes.
#pragma once

#include <cstdint>
#include <optional>

namespace testbed::vhost {

class StuckDetector {
 public:
  static constexpr int kLooks = 3;         // in a row
  static constexpr uint32_t kInVain = 16;  // polls between two looks

  struct Look {
    uint16_t position;
    bool waiting;      // buffers are available
    uint32_t in_vain;  // polls that yielded nothing, so far
  };

  // At regular times; nullopt: the ring does not run. True when the ring is found to be stuck, once.
  bool look(const std::optional<Look>& now) {
    if (!now || !now->waiting || !last_ || now->position != last_->position) {
      last_ = now;
      looks_ = 0;
      return stuck_ = false;
    }
    if (now->in_vain - last_->in_vain < kInVain) return false;
    last_ = now;
    if (stuck_ || ++looks_ < kLooks) return false;
    return stuck_ = true;
  }
  bool stuck() const { return stuck_; }

 private:
  std::optional<Look> last_;
  int looks_ = 0;
  bool stuck_ = false;
};

}  // namespace testbed::vhost
