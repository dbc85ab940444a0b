// One end of flows: a transport, the addresses behind it, and the flows that end there. Sorts what arrives,
// announces its addresses (hello frames), sends acknowledgements.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "emu/flow/mac.hpp"
#include "emu/flow/probe.hpp"
#include "emu/flow/receiver.hpp"
#include "emu/flow/sender.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::flow {

// A frame that came to an end it was not addressed to.
struct ForeignArrival {
  uint16_t flow, stream;
  uint64_t sequence;
  uint64_t t_ns;
};

struct EndCounters {
  uint64_t tx_packets = 0,
           tx_bytes = 0;  // all frames the transport took, hellos and acknowledgements included
  uint64_t rx_packets = 0, rx_bytes = 0;
  uint64_t tx_full = 0;   // bursts that found the ring full
  uint64_t hellos = 0;    // sent
  uint64_t acks = 0;      // sent
  uint64_t other_rx = 0;  // not ours, or of a flow or run nobody here expects
  uint64_t hello_rx = 0;
  uint64_t ack_rx = 0;
  uint64_t foreign_rx = 0;    // probes and acknowledgements for an address of another end
  uint64_t corrupted_rx = 0;  // damaged, and of no flow that is expected here
};

class End {
 public:
  static constexpr size_t kMaxForeign = 4096;
  static constexpr uint64_t kHelloInterval_ns = 1'000'000'000;
  // Called when a receiver's flow begins to move.
  using Moving = std::function<void(const Receiver&)>;

  // `announces`: it says hello; else it sends nothing but what flows do.
  End(Transport& transport, const Mac& mac, bool announces = true);

  Transport& transport() { return transport_; }
  const Transport& transport() const { return transport_; }
  const Mac& mac() const { return mac_; }
  const EndCounters& counters() const { return counters_; }
  const std::vector<ForeignArrival>& foreign() const { return foreign_; }
  bool link_up() const { return link_up_; }
  // Whether a closed loop goes round here, at either of its ends.
  bool circulating() const {
    return std::ranges::any_of(sending_, &Sender::circulating) ||
           std::ranges::any_of(expecting_, &Receiver::circulating);
  }

  void attach(Receiver& receiver);
  void attach(Sender& sender);
  void detach_receiver(uint16_t flow);
  void detach_sender(uint16_t flow);

  // True when the link changed since the last call. An end that comes up says hello.
  bool check_link(uint64_t now_ns);
  // It says hello again at once: its guest has moved.
  void announce() { hello_cursor_ = 0; }
  // Each returns how many frames it moved.
  uint32_t receive(const std::function<uint64_t()>& clock, const Moving& moving);
  uint32_t acknowledge();
  uint32_t say_hello(uint64_t now_ns);
  uint32_t send(uint64_t now_ns);

 private:
  void take(const Frame& frame, uint16_t queue, uint64_t now_ns, const Moving& moving);
  void take_probe(const Probe& probe, uint32_t length, uint16_t queue, uint64_t now_ns, const Moving& moving);
  void take_ack(const Probe& probe, uint64_t now_ns);
  void take_unclaimed(const Probe& probe, uint64_t now_ns);
  void rebuild_addresses();
  Receiver* receiver(uint16_t flow) const { return flow < receivers_.size() ? receivers_[flow] : nullptr; }
  Sender* sender(uint16_t flow) const { return flow < senders_.size() ? senders_[flow] : nullptr; }
  uint16_t transmit(Frame* frames, uint16_t count);

  Transport& transport_;
  Mac mac_;
  const bool announces_;
  EndCounters counters_;
  std::vector<ForeignArrival> foreign_;
  std::vector<Receiver*> receivers_;  // by flow
  std::vector<Sender*> senders_;
  std::vector<Receiver*> expecting_;  // the same without the holes
  std::vector<Sender*> sending_;
  std::vector<Mac> addresses_;
  std::unordered_set<uint64_t> own_;
  bool link_up_ = false;
  size_t hello_cursor_ = 0;  // next address to announce; addresses_.size(): all done
  uint64_t next_hello_ns_ = 0;
};

}  // namespace testbed::flow
