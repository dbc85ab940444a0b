// The drivers that may have to be called for what a worker gave back in this round. Whether they want to be is read
// after a fence that waits until all of it is visible, and for the rings' lines on their way from other CPUs: once for
// a round rather than twice for a burst.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <variant>

#include "core/graph/port.hpp"
#include "vdev/gate/call.hpp"
#include "vdev/ring/packed_ring.hpp"
#include "vdev/ring/split_ring.hpp"

namespace testbed::ring {

// One for each worker, used by it only.
class Calls final : public AfterRound {
 public:
  // `ring` and `eventfd` stay until the worker is quiescent. What was given back between `before` and `now` is published.
  template <typename Ring>
  void owe(WorkerContext& worker, const Ring& ring, const typename Ring::Cursor& before,
           const typename Ring::Cursor& now, int eventfd) {
    if (count_ == owed_.size()) [[unlikely]]
      after_round();
    ring.prefetch_wish();
    owed_[count_++] = {Given<Ring>{&ring, before, now}, eventfd};
    worker.after_round = this;
  }

  void after_round() override {
    // The driver says whether it wants a call and then looks at the ring once more; we publish and then look at what it
    // says.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    for (uint32_t i = 0; i < count_; ++i)
      if (std::visit([](const auto& given) { return given.ring->wants_call(given.before, given.now); }, owed_[i].given))
        gate::call_driver(owed_[i].eventfd);
    count_ = 0;
  }

 private:
  template <typename Ring>
  struct Given {
    const Ring* ring;
    typename Ring::Cursor before, now;
  };
  struct Owed {
    std::variant<Given<SplitRing>, Given<PackedRing>> given;
    int eventfd;
  };
  uint32_t count_ = 0;
  std::array<Owed, 8> owed_;
};

}  // namespace testbed::ring
