// Frames that go round: what arrives at one port is put back into the other, unread and unchanged, so that
// the frontends cost as little as virtio_user can and the switch between them is what is measured. The number
// of frames under way is fixed and smaller than a ring: nothing is lost unless the switch loses it.
#pragma once

#include <rte_mbuf.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/counter.hpp"
#include "emu/flow/mac.hpp"

namespace testbed::bench {

// Frames leave by ethdev `out` and come back at ethdev `in`.
struct Direction {
  uint16_t out, in;
  rte_mempool* out_pool;          // where its frames are made
  rte_mempool* in_pool;           // where announcements are made, which leave by `in`
  flow::Mac source, destination;  // of the first pair of addresses; the others count up
};

struct Shape {
  uint32_t octets = 64;   // of a frame, without FCS
  uint16_t macs = 1;      // pairs of addresses in each direction, taken in turn
  bool touch = false;     // every cache line of a frame is read and written, as by a guest
  uint16_t window = 512;  // frames under way in each direction
};

class Circulation {
 public:
  static constexpr uint16_t kBurst = 32;

  // Does nothing before start(). The ports are started and outlive this.
  Circulation(std::vector<Direction> directions, Shape shape);
  ~Circulation() { stop(); }

  // -- Control thread.
  void start(std::optional<unsigned> cpu);
  // Takes the frames out again. Returns how many never came back (0 after a refill: nobody knows).
  // Idempotent.
  uint64_t stop();

  struct Counts {
    uint64_t packets, polls, bursts, busy_cycles;
    uint64_t odd;      // frames of another length: somebody else's, taken out
    uint64_t refills;  // times all frames were given up for lost
  };
  Counts counts() const;

 private:
  struct Lane {
    Direction direction;
    rte_mbuf* waiting[kBurst];  // found no room; nothing is received meanwhile
    uint16_t backlog = 0;
    uint16_t announced = 0, filled = 0;  // addresses that have spoken, frames under way: so far
    uint64_t last_tsc = 0;               // when a frame was last sent for the first time or came back
  };

  void run(std::optional<unsigned> cpu);
  void set_off(uint64_t tsc);
  bool announce(Lane& lane);
  bool fill(Lane& lane);
  uint32_t pass_on(Lane& lane);
  uint32_t round();
  void refill_silent(uint64_t tsc);
  void take_out();
  uint16_t keep_ours(rte_mbuf** frames, uint16_t count);

  std::vector<Lane> lanes_;
  const Shape shape_;
  bool setting_off_ = true;     // frames have to be made yet
  uint64_t announced_tsc_ = 0;  // when the last address had spoken; 0: not yet
  std::atomic<bool> stopping_ = false;
  uint64_t collected_ = 0;
  Counter packets_, polls_, bursts_, busy_cycles_, odd_, refills_;
  std::thread thread_;
};

}  // namespace testbed::bench
