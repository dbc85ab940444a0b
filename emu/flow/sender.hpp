// One flow's sending side. Paced: frames are due at a rate, and what is due while the ring is full (or the
// link down) is counted as blocked and never sent. Closed loop: at most `window` frames are on their way, and
// the receiver's acknowledgements make room for more. A frame the transport refuses uses up no sequence
// number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "emu/flow/mac.hpp"
#include "emu/flow/probe.hpp"
#include "emu/flow/rate_bins.hpp"
#include "emu/flow/size_mix.hpp"
#include "emu/flow/transport.hpp"
#include "emu/flow/window.hpp"

namespace testbed::flow {

struct SendSpec {
  uint16_t flow = 0;
  std::string name;
  std::string end;
  uint32_t run = 0;
  uint64_t seed = 0;
  double rate_pps = 0;  // paced, when window is 0
  uint32_t window = 0;  // closed loop: frames on their way
  std::vector<SizeRange> sizes;
  Mac source, destination;  // of stream 0
  uint16_t streams = 1;
  int queue = -1;  // -1: stream i leaves by queue i % queues
};

// What flow.set may change while a flow runs.
struct FlowChange {
  std::optional<double> rate_pps;
  std::optional<int64_t> clock_offset_ns;
};

// What a sender knows, copied in one go for a report.
struct SenderRecord {
  uint16_t flow = 0;
  std::string name, end;
  uint32_t epoch = 0;
  uint64_t sent = 0, sent_bytes = 0;
  uint64_t blocked =
      0;  // were due and found the ring full or the link down; a closed loop counts each such moment once
  uint64_t skipped = 0;   // were due while the process did not run for longer than kCatchUp_ns
  uint64_t timeouts = 0;  // closed loop: times the rest of a window was given up for lost
  uint64_t first_ns = 0, last_ns = 0;
  RateBins bins;
  std::vector<uint64_t> queues;  // frames by queue
  std::vector<uint64_t> next;    // next sequence number by stream
};

class Sender {
 public:
  // What a paced sender that was held up makes good, at the most; the rest is skipped. (A burst of more than
  // this would only overflow rings and measure that.)
  static constexpr uint64_t kCatchUp_ns = 20'000'000;

  // `epoch` tells this sender's frames from those of the flow's sender before it.
  Sender(const SendSpec& spec, uint32_t epoch);

  const SendSpec& spec() const { return spec_; }
  const SenderRecord& record() const { return record_; }

  void start(uint64_t now_ns);
  void stop() { running_ = false; }
  bool running() const { return running_; }
  bool closed_loop() const { return spec_.window > 0; }
  // A closed loop that goes round: an acknowledgement may come any moment.
  bool circulating() const { return running_ && closed_loop() && !window_.silent(); }
  // 0 pauses.
  void set_rate(double rate_pps, uint64_t now_ns);

  // Sends at most a burst of what may be sent now; returns how many frames left.
  uint32_t poll(Transport& transport, bool link_up, uint64_t now_ns);
  void acknowledged(const Probe& ack, uint64_t now_ns);

  // When the next frame of a paced flow is due.
  uint64_t next_due_ns() const;

 private:
  struct Lane {
    uint16_t queue;
    uint32_t streams;     // how many leave by this queue
    uint32_t cursor = 0;  // the one whose turn it is
  };

  uint32_t allowance(uint64_t now_ns);
  void arrange_lanes(uint16_t queues);
  uint16_t stream_of(const Lane& lane, uint32_t position) const;
  uint32_t deal_out(Transport& transport, uint32_t due, uint64_t now_ns);
  uint32_t fill_lanes(Transport& transport, uint32_t allowed, uint64_t now_ns);
  uint16_t send_burst(Transport& transport, Lane& lane, uint16_t count, uint64_t now_ns);
  void account(uint16_t queue, uint32_t frames, uint64_t bytes, uint64_t now_ns);
  void refused(uint32_t frames);

  SendSpec spec_;
  SizeMix mix_;
  ProbeTemplate template_;
  SenderRecord record_;
  Window window_;
  bool running_ = false;
  bool stuck_ = false;         // closed loop: the last attempt was refused
  uint64_t started_ns_ = 0;    // flow.start
  uint64_t pace_from_ns_ = 0;  // frames are counted as due from here
  uint64_t taken_ = 0;         // due frames that were sent, blocked or skipped since
  uint16_t arranged_for_ = 0;  // queues of the transport when lanes_ were made
  std::vector<Lane> lanes_;
  size_t next_lane_ = 0;
};

}  // namespace testbed::flow
