// Exact accounting of one stream's sequence numbers: which arrived, which are missing, which came late or
// twice.
//
// What is kept is one past the highest number seen and the missing intervals below it. A number that is next
// continues; a higher one opens a gap; a lower one either lies in a gap (it was only late) or was here before
// (a duplicate).
//
// Memory is bounded. When there are more gaps than allowed the older half is made coarse: two neighbours
// become one interval that covers the numbers received between them as well. The count of missing numbers
// stays exact; a number that then arrives inside such an interval cannot be told late from duplicate any
// more, and is counted as unclear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace testbed::flow {

struct Gap {
  uint64_t first = 0, last = 0;  // the interval, both ends included
  uint64_t missing = 0;          // less than its width when gaps were merged into it
  uint64_t after_ns = 0;         // send stamps of the packets received on either side; 0: none was before
  uint64_t before_ns = 0;

  uint64_t width() const { return last - first + 1; }
};

enum class Arrival : uint8_t { in_order, ahead, late, duplicate, unclear };

class SequenceTracker {
 public:
  explicit SequenceTracker(size_t max_gaps = 1024) : max_gaps_(max_gaps < 4 ? 4 : max_gaps) {}

  // A good packet came. `stamp_ns` is when it was sent.
  Arrival arrived(uint64_t sequence, uint64_t stamp_ns) {
    if (sequence != next_) [[unlikely]]
      return out_of_order(sequence, stamp_ns);
    ++next_;
    stamp_ns_ = stamp_ns;
    return Arrival::in_order;
  }

  uint64_t next() const { return next_; }                 // one past the highest number seen
  uint64_t missing() const { return missing_; }           // numbers below next() that did not arrive
  const std::vector<Gap>& gaps() const { return gaps_; }  // in order
  uint64_t merged() const { return merged_; }             // numbers that did arrive and lie in a merged gap

 private:
  Arrival out_of_order(uint64_t sequence, uint64_t stamp_ns);
  Arrival fill(std::vector<Gap>::iterator gap, uint64_t sequence, uint64_t stamp_ns);
  void make_room();

  size_t max_gaps_;
  uint64_t next_ = 0;
  uint64_t stamp_ns_ = 0;  // of the packet next_ - 1
  uint64_t missing_ = 0;
  uint64_t merged_ = 0;
  std::vector<Gap> gaps_;
};

}  // namespace testbed::flow
