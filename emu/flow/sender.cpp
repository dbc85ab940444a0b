#include "emu/flow/sender.hpp"

#include <algorithm>
#include <cmath>

namespace testbed::flow {

namespace {

Probe first_probe(const SendSpec& spec, uint32_t epoch) {
  Probe probe;
  probe.destination = spec.destination;
  probe.source = spec.source;
  probe.run = spec.run;
  probe.epoch = epoch;
  probe.flow = spec.flow;
  return probe;
}

uint32_t age_us(uint64_t since_ns, uint64_t now_ns) {
  return static_cast<uint32_t>(std::min<uint64_t>((now_ns - since_ns) / 1000, UINT32_MAX));
}

}  // namespace

Sender::Sender(const SendSpec& spec, uint32_t epoch)
    : spec_(spec), mix_(spec.sizes), template_(first_probe(spec, epoch), spec.seed), window_(spec.window) {
  record_.flow = spec.flow;
  record_.name = spec.name;
  record_.end = spec.end;
  record_.epoch = epoch;
  record_.next.resize(spec.streams);
}

void Sender::start(uint64_t now_ns) {
  if (running_) return;
  running_ = true;
  started_ns_ = now_ns;
  pace_from_ns_ = now_ns;
  taken_ = 0;
  window_.restart(now_ns);
}

void Sender::set_rate(double rate_pps, uint64_t now_ns) {
  // Coming back from a pause the sender's age starts anew: the silence was its own.
  if (spec_.rate_pps <= 0) started_ns_ = now_ns;
  spec_.rate_pps = rate_pps;
  pace_from_ns_ = now_ns;
  taken_ = 0;
}

uint64_t Sender::next_due_ns() const {
  if (!running_ || closed_loop() || spec_.rate_pps <= 0) return UINT64_MAX;
  return pace_from_ns_ +
         static_cast<uint64_t>(std::ceil(static_cast<double>(taken_ + 1) * 1e9 / spec_.rate_pps));
}

uint32_t Sender::allowance(uint64_t now_ns) {
  if (closed_loop()) {
    const uint32_t allowed = window_.allowance(now_ns);
    record_.timeouts = window_.timeouts();
    return allowed;
  }
  const auto due = static_cast<uint64_t>(static_cast<double>(now_ns - pace_from_ns_) * spec_.rate_pps / 1e9);
  const uint64_t behind = due - std::min(due, taken_);
  const uint64_t limit = std::max<uint64_t>(
      kBurst, static_cast<uint64_t>(spec_.rate_pps * static_cast<double>(kCatchUp_ns) / 1e9));
  if (behind <= limit) return static_cast<uint32_t>(behind);
  record_.skipped += behind - limit;
  taken_ += behind - limit;
  return static_cast<uint32_t>(limit);
}

void Sender::arrange_lanes(uint16_t queues) {
  arranged_for_ = queues;
  next_lane_ = 0;
  lanes_.clear();
  if (spec_.queue >= 0) {
    // A queue that is gone (fewer are in use now) is replaced the way a driver would: by another that exists.
    lanes_.push_back({static_cast<uint16_t>(spec_.queue % queues), spec_.streams});
  } else {
    for (uint16_t q = 0; q < queues && q < spec_.streams; ++q)
      lanes_.push_back({q, (spec_.streams - q + queues - 1u) / queues});
  }
  if (record_.queues.size() < queues) record_.queues.resize(queues);
}

uint16_t Sender::stream_of(const Lane& lane, uint32_t position) const {
  return static_cast<uint16_t>(spec_.queue >= 0 ? position : lane.queue + position * arranged_for_);
}

uint32_t Sender::poll(Transport& transport, bool link_up, uint64_t now_ns) {
  if (!running_) return 0;
  uint32_t due = allowance(now_ns);
  if (due == 0) return 0;
  if (!link_up) {
    refused(due);
    return 0;
  }
  if (transport.queues() != arranged_for_) arrange_lanes(transport.queues());
  const uint32_t sent = closed_loop() ? fill_lanes(transport, std::min<uint32_t>(due, kBurst), now_ns)
                                      : deal_out(transport, std::min<uint32_t>(due, kBurst), now_ns);
  if (sent > 0) stuck_ = false;
  return sent;
}

// Paced: to each lane the same, and who gets one more goes round. A full queue costs what was its share and
// nobody else's.
uint32_t Sender::deal_out(Transport& transport, uint32_t due, uint64_t now_ns) {
  const auto lanes = static_cast<uint32_t>(lanes_.size());
  uint32_t sent = 0;
  for (uint32_t i = 0; i < lanes && i < due; ++i) {
    const auto share = static_cast<uint16_t>(due / lanes + (i < due % lanes ? 1 : 0));
    const uint16_t accepted = send_burst(transport, lanes_[(next_lane_ + i) % lanes], share, now_ns);
    sent += accepted;
    if (accepted < share) refused(share - accepted);
  }
  next_lane_ = (next_lane_ + due) % lanes;
  return sent;
}

// Closed loop: as much as possible to the lane whose turn it is, and to the next ones what it did not take.
uint32_t Sender::fill_lanes(Transport& transport, uint32_t allowed, uint64_t now_ns) {
  uint32_t sent = 0;
  for (size_t tried = 0; tried < lanes_.size() && sent < allowed; ++tried) {
    Lane& lane = lanes_[next_lane_];
    next_lane_ = (next_lane_ + 1) % lanes_.size();
    const auto wanted = static_cast<uint16_t>(allowed - sent);
    const uint16_t accepted = send_burst(transport, lane, wanted, now_ns);
    sent += accepted;
    if (accepted < wanted) refused(wanted - accepted);
  }
  return sent;
}

void Sender::refused(uint32_t frames) {
  if (closed_loop()) {
    if (!std::exchange(stuck_, true)) ++record_.blocked;
    return;
  }
  record_.blocked += frames;
  taken_ += frames;
}

uint16_t Sender::send_burst(Transport& transport, Lane& lane, uint16_t count, uint64_t now_ns) {
  Frame frames[kBurst];
  uint16_t streams[kBurst];
  uint64_t sequences[kBurst];
  for (uint16_t i = 0; i < count; ++i) {
    streams[i] = stream_of(lane, lane.cursor);
    sequences[i] = record_.next[streams[i]]++;
    lane.cursor = lane.cursor + 1 == lane.streams ? 0 : lane.cursor + 1;
    frames[i].length = mix_.size(scramble(packet_key(spec_.seed, spec_.flow, streams[i], sequences[i])));
  }
  const uint16_t room = transport.reserve(lane.queue, frames, count);
  const uint32_t age = age_us(started_ns_, now_ns);
  for (uint16_t i = 0; i < room; ++i)
    template_.write(frames[i].data, frames[i].length, streams[i], sequences[i], age, now_ns);
  uint64_t bytes[kBurst + 1] = {0};  // sums: the transport owns the frames after send()
  for (uint16_t i = 0; i < room; ++i) bytes[i + 1] = bytes[i] + frames[i].length;
  const uint16_t accepted = room ? transport.send(lane.queue, frames, room) : uint16_t{0};
  // What did not leave gives its numbers back, last one first.
  for (uint16_t i = count; i > accepted; --i) {
    --record_.next[streams[i - 1]];
    lane.cursor = (lane.cursor == 0 ? lane.streams : lane.cursor) - 1;
  }
  if (accepted) account(lane.queue, accepted, bytes[accepted], now_ns);
  return accepted;
}

void Sender::account(uint16_t queue, uint32_t frames, uint64_t bytes, uint64_t now_ns) {
  window_.sent(frames);
  taken_ += frames;
  if (record_.sent == 0) record_.first_ns = now_ns;
  record_.last_ns = now_ns;
  record_.sent += frames;
  record_.sent_bytes += bytes;
  record_.queues[queue] += frames;
  record_.bins.add(now_ns, frames);
}

void Sender::acknowledged(const Probe& ack, uint64_t now_ns) {
  if (ack.run != spec_.run || ack.epoch != record_.epoch) return;
  const uint64_t round_trip = now_ns > ack.stamp_ns ? now_ns - ack.stamp_ns : 0;
  window_.acknowledged(ack.age_us, ack.sequence, round_trip, now_ns);
}

}  // namespace testbed::flow
