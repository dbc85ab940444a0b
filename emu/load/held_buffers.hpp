// Protects received buffers from being freed twice by the driver's vector path for packed rings (22.11): it
// forgets to forget a buffer it has delivered until the descriptor is refilled, and when a backend returns it
// frees all buffers its ring remembers, delivered or not.
//
// The ones it may still remember are the last it delivered. They are kept back instead of freed; while the
// link is down they carry a second reference, and what the driver freed meanwhile shows in the count.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>

namespace testbed::load {

class HeldBuffers {
 public:
  // It refills 32 at a time, after a burst of up to 32.
  static constexpr size_t kHeld = 128;

  HeldBuffers() = default;
  HeldBuffers(const HeldBuffers&) = delete;
  HeldBuffers& operator=(const HeldBuffers&) = delete;
  // The device is closed.
  ~HeldBuffers() {
    drop_marks();
    for (rte_mbuf* mbuf : held_) rte_pktmbuf_free(mbuf);
  }

  // Takes a received buffer in place of rte_pktmbuf_free().
  void hold(rte_mbuf* mbuf) {
    rte_pktmbuf_free(held_[oldest_]);  // null is fine
    held_[oldest_] = mbuf;
    oldest_ = (oldest_ + 1) % kHeld;
  }
  // The driver may reset its rings from now on.
  void mark() {
    if (marked_) return;
    marked_ = true;
    for (rte_mbuf* mbuf : held_)
      if (mbuf) rte_mbuf_refcnt_update(mbuf, 1);
  }
  // It may not any more.
  void drop_marks() {
    if (!marked_) return;
    marked_ = false;
    for (rte_mbuf* mbuf : held_)
      if (mbuf && rte_mbuf_refcnt_read(mbuf) > 1) rte_mbuf_refcnt_update(mbuf, -1);
  }

 private:
  std::array<rte_mbuf*, kHeld> held_{};
  size_t oldest_ = 0;
  bool marked_ = false;
};

}  // namespace testbed::load
