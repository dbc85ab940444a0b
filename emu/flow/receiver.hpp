// One flow's receiving side: what arrived, how late, and what did not.
//
// A sender that was killed and started anew begins again at sequence 0 under another epoch. Each epoch is
// accounted for on its own (an incarnation), late packets of an earlier one included.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "emu/flow/latency_histogram.hpp"
#include "emu/flow/mac.hpp"
#include "emu/flow/outage.hpp"
#include "emu/flow/probe.hpp"
#include "emu/flow/rate_bins.hpp"
#include "emu/flow/sequence_tracker.hpp"

namespace testbed::flow {

struct ExpectSpec {
  uint16_t flow = 0;
  std::string name;
  std::string end;
  uint32_t run = 0;
  uint64_t seed = 0;
  Mac mac;  // of stream 0
  uint16_t streams = 1;
  bool acknowledge = false;          // closed loop
  Mac reply_to;                      // the sender's address, of stream 0
  uint64_t outage_threshold_ns = 0;  // 0: from rate_pps
  double rate_pps = 0;               // the nominal one; 0: not known
  int64_t clock_offset_ns = 0;       // this end's clock minus the sender's
};

struct Incarnation {
  uint32_t epoch = 0;
  uint64_t received = 0;
  uint64_t first_ns = 0, last_ns = 0;
  uint64_t passed = 0;  // arrived or known to be lost: the sum of the streams' next()
  std::vector<SequenceTracker> streams;
};

struct ReceiverRecord {
  static constexpr size_t kMaxIncarnations = 64;
  static constexpr size_t kMaxGaps = 16384;  // per incarnation, shared out to its streams

  uint16_t flow = 0;
  std::string name, end;
  uint64_t received = 0, received_bytes = 0;  // distinct good packets
  uint64_t duplicated = 0, reordered = 0, corrupted = 0;
  uint64_t unclear = 0;    // late or duplicate, see SequenceTracker
  uint64_t strangers = 0;  // of an epoch beyond kMaxIncarnations
  uint64_t negative_latency =
      0;  // stamps from the future: the clock offset is wrong by more than the latency
  uint64_t first_ns = 0, last_ns = 0;
  std::vector<Incarnation> incarnations;  // oldest first
  OutageDetector outages;
  LatencyHistogram latency;
  RateBins bins;
  std::vector<uint64_t> queues;  // frames by queue

  uint64_t missing() const;  // in all incarnations
};

class Receiver {
 public:
  // `life` tells this receiver from the flow's receiver before it (see Window).
  Receiver(const ExpectSpec& spec, uint32_t life);

  const ExpectSpec& spec() const { return spec_; }
  const ReceiverRecord& record() const { return record_; }

  bool is_addressed(const Probe& probe) const {
    return probe.run == spec_.run && probe.stream < spec_.streams &&
           probe.destination == spec_.mac.plus(probe.stream);
  }
  // A good probe of this flow, addressed to it. True when the flow begins to move (again).
  bool arrived(const Probe& probe, uint32_t length, uint16_t queue, uint64_t now_ns);
  void corrupted() { ++record_.corrupted; }

  // True once when the flow has fallen silent; not for one that was quieted, until it moves again.
  bool fell_silent(uint64_t now_ns) { return record_.outages.fell_silent(now_ns) && quiet_since_ns_ == 0; }
  // The sender is about to stop, says whoever runs both: silence is no news until it was started again.
  void quiet(uint64_t now_ns) { quiet_since_ns_ = now_ns; }

  void set_rate(double rate_pps);
  void set_clock_offset(int64_t ns) { spec_.clock_offset_ns = ns; }

  // Closed loop: whether there is something to acknowledge, and what.
  bool owes_ack() const { return owes_ack_; }
  // A closed loop that has not fallen silent: the next frame may come any moment.
  bool circulating() const { return spec_.acknowledge && record_.received > 0 && !record_.outages.silent(); }
  Probe ack() const;
  void ack_sent() { owes_ack_ = false; }

 private:
  Incarnation* incarnation(uint32_t epoch);
  void classify(Incarnation& incarnation, const Probe& probe, uint32_t length, uint64_t now_ns);
  uint64_t measure(const Probe& probe, uint64_t now_ns);

  ExpectSpec spec_;
  uint32_t life_;
  ReceiverRecord record_;
  size_t current_ = 0;  // index of the incarnation that sent the last packet
  uint64_t newest_stamp_ns_ = 0;
  bool owes_ack_ = false;
  uint64_t quiet_since_ns_ = 0;
};

}  // namespace testbed::flow
