#include "emu/flow/receiver.hpp"

#include <algorithm>

namespace testbed::flow {

uint64_t ReceiverRecord::missing() const {
  uint64_t sum = 0;
  for (const Incarnation& incarnation : incarnations) sum += incarnation.passed - incarnation.received;
  return sum;
}

Receiver::Receiver(const ExpectSpec& spec, uint32_t life) : spec_(spec), life_(life) {
  record_.flow = spec.flow;
  record_.name = spec.name;
  record_.end = spec.end;
  set_rate(spec.rate_pps);
}

void Receiver::set_rate(double rate_pps) {
  spec_.rate_pps = rate_pps;
  if (spec_.outage_threshold_ns)
    record_.outages.set_threshold(spec_.outage_threshold_ns);
  else
    record_.outages.set_threshold_for(rate_pps);
}

Incarnation* Receiver::incarnation(uint32_t epoch) {
  auto& all = record_.incarnations;
  if (current_ < all.size() && all[current_].epoch == epoch) [[likely]]
    return &all[current_];
  const auto found = std::ranges::find(all, epoch, &Incarnation::epoch);
  if (found == all.end()) {
    if (all.size() >= ReceiverRecord::kMaxIncarnations) return nullptr;
    const SequenceTracker fresh(ReceiverRecord::kMaxGaps / spec_.streams);
    all.push_back({.epoch = epoch, .streams = std::vector<SequenceTracker>(spec_.streams, fresh)});
    current_ = all.size() - 1;
  } else {
    current_ = static_cast<size_t>(found - all.begin());
  }
  return &all[current_];
}

bool Receiver::arrived(const Probe& probe, uint32_t length, uint16_t queue, uint64_t now_ns) {
  Incarnation* from = incarnation(probe.epoch);
  if (!from) {
    ++record_.strangers;
    return false;
  }
  classify(*from, probe, length, now_ns);
  const uint64_t latency_ns = measure(probe, now_ns);
  if (record_.first_ns == 0) record_.first_ns = now_ns;
  record_.last_ns = now_ns;
  record_.bins.add(now_ns, 1, latency_ns);
  if (queue >= record_.queues.size()) record_.queues.resize(queue + 1u);
  ++record_.queues[queue];
  owes_ack_ |= spec_.acknowledge;
  const uint64_t sending_ns = uint64_t{probe.age_us} * 1000 + latency_ns;
  if (now_ns > quiet_since_ns_ + sending_ns) quiet_since_ns_ = 0;
  return record_.outages.arrived(now_ns, sending_ns);
}

void Receiver::classify(Incarnation& from, const Probe& probe, uint32_t length, uint64_t now_ns) {
  SequenceTracker& stream = from.streams[probe.stream];
  const uint64_t before = stream.next();
  const Arrival arrival = stream.arrived(probe.sequence, probe.stamp_ns);
  from.passed += stream.next() - before;
  if (arrival == Arrival::duplicate) {
    ++record_.duplicated;
    return;
  }
  if (arrival == Arrival::unclear) {
    ++record_.unclear;
    return;
  }
  if (arrival == Arrival::late) ++record_.reordered;
  newest_stamp_ns_ = probe.stamp_ns;
  if (from.received == 0) from.first_ns = now_ns;
  from.last_ns = now_ns;
  ++from.received;
  ++record_.received;
  record_.received_bytes += length;
}

uint64_t Receiver::measure(const Probe& probe, uint64_t now_ns) {
  const uint64_t sent_ns = probe.stamp_ns + static_cast<uint64_t>(spec_.clock_offset_ns);
  const bool negative = sent_ns > now_ns;
  const uint64_t latency_ns = negative ? 0 : now_ns - sent_ns;
  if (negative) ++record_.negative_latency;
  record_.latency.record(latency_ns);
  return latency_ns;
}

Probe Receiver::ack() const {
  const Incarnation& from = record_.incarnations[current_];
  Probe ack;
  ack.destination = spec_.reply_to;
  ack.source = spec_.mac;
  ack.kind = Kind::ack;
  ack.run = spec_.run;
  ack.epoch = from.epoch;
  ack.flow = spec_.flow;
  ack.age_us = life_;
  ack.sequence = from.passed;
  ack.stamp_ns = newest_stamp_ns_;  // comes back to the clock it is from
  return ack;
}

}  // namespace testbed::flow
