// Workers that transmit to the same virtqueue take turns.
#pragma once

#include <rte_pause.h>

#include <atomic>

namespace testbed::gate {

// Nobody but a worker in its burst holds this, so waiting is bounded by one burst.
class Turn {
 public:
  explicit Turn(std::atomic_flag& flag) : flag_(flag) {
    while (flag_.test_and_set(std::memory_order_acquire)) rte_pause();
  }
  ~Turn() { flag_.clear(std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic_flag& flag_;
};

}  // namespace testbed::gate
