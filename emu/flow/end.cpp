#include "emu/flow/end.hpp"

#include <algorithm>

namespace testbed::flow {

namespace {

template <typename Flow>
void put(std::vector<Flow*>& by_flow, std::vector<Flow*>& all, uint16_t flow, Flow* which) {
  if (flow >= by_flow.size()) by_flow.resize(flow + 1u);
  std::erase(all, by_flow[flow]);
  by_flow[flow] = which;
  if (which) all.push_back(which);
}

}  // namespace

End::End(Transport& transport, const Mac& mac, bool announces)
    : transport_(transport), mac_(mac), announces_(announces) {
  rebuild_addresses();
}

void End::attach(Receiver& receiver) {
  put(receivers_, expecting_, receiver.spec().flow, &receiver);
  rebuild_addresses();
}

void End::attach(Sender& sender) {
  put(senders_, sending_, sender.spec().flow, &sender);
  rebuild_addresses();
}

void End::detach_receiver(uint16_t flow) {
  put(receivers_, expecting_, flow, static_cast<Receiver*>(nullptr));
  rebuild_addresses();
}

void End::detach_sender(uint16_t flow) {
  put(senders_, sending_, flow, static_cast<Sender*>(nullptr));
  rebuild_addresses();
}

// Every address is announced again at once: a switch may have seen none of them.
void End::rebuild_addresses() {
  addresses_.assign(1, mac_);
  own_ = {mac_.number()};
  const auto add = [this](const Mac& first, uint16_t count) {
    for (uint16_t i = 0; i < count; ++i)
      if (own_.insert(first.plus(i).number()).second) addresses_.push_back(first.plus(i));
  };
  for (const Sender* sender : sending_) add(sender->spec().source, sender->spec().streams);
  for (const Receiver* receiver : expecting_) add(receiver->spec().mac, receiver->spec().streams);
  hello_cursor_ = 0;
}

bool End::check_link(uint64_t now_ns) {
  const bool up = transport_.link_up();
  if (up == link_up_) return false;
  link_up_ = up;
  hello_cursor_ = 0;
  next_hello_ns_ = now_ns + kHelloInterval_ns;
  return true;
}

uint32_t End::receive(const std::function<uint64_t()>& clock, const Moving& moving) {
  Frame frames[kBurst];
  uint32_t total = 0;
  for (uint16_t q = 0; q < transport_.queues(); ++q) {
    const uint16_t count = transport_.receive(q, frames, kBurst);
    if (count == 0) continue;
    const uint64_t now_ns = clock();
    for (uint16_t i = 0; i < count; ++i) take(frames[i], q, now_ns, moving);
    transport_.release(q, frames, count);
    total += count;
  }
  return total;
}

void End::take(const Frame& frame, uint16_t queue, uint64_t now_ns, const Moving& moving) {
  ++counters_.rx_packets;
  counters_.rx_bytes += frame.length;
  Probe probe;
  switch (read_probe(frame.data, frame.length, probe)) {
    case Verdict::other:
      ++counters_.other_rx;
      return;
    case Verdict::corrupted:
      // The flow's number may be what is damaged: then nobody expects it, or the blame falls on another flow
      // of this end.
      if (Receiver* claimed = receiver(probe.flow))
        claimed->corrupted();
      else
        ++counters_.corrupted_rx;
      return;
    case Verdict::good:
      break;
  }
  switch (probe.kind) {
    case Kind::hello:
      ++counters_.hello_rx;
      return;
    case Kind::ack:
      return take_ack(probe, now_ns);
    case Kind::probe:
      return take_probe(probe, frame.length, queue, now_ns, moving);
  }
  ++counters_.other_rx;  // a kind of a later version
}

void End::take_probe(const Probe& probe, uint32_t length, uint16_t queue, uint64_t now_ns,
                     const Moving& moving) {
  Receiver* expected = receiver(probe.flow);
  if (!expected || !expected->is_addressed(probe)) return take_unclaimed(probe, now_ns);
  if (expected->arrived(probe, length, queue, now_ns)) moving(*expected);
}

void End::take_ack(const Probe& probe, uint64_t now_ns) {
  Sender* waiting = sender(probe.flow);
  if (!waiting || probe.destination != waiting->spec().source) return take_unclaimed(probe, now_ns);
  ++counters_.ack_rx;
  waiting->acknowledged(probe, now_ns);
}

void End::take_unclaimed(const Probe& probe, uint64_t now_ns) {
  if (probe.destination.multicast() || own_.contains(probe.destination.number())) {
    ++counters_.other_rx;
    return;
  }
  ++counters_.foreign_rx;
  if (foreign_.size() < kMaxForeign) foreign_.push_back({probe.flow, probe.stream, probe.sequence, now_ns});
}

// Fixed frames of our own leave by queue 0.
uint16_t End::transmit(Frame* frames, uint16_t count) {
  uint64_t bytes[kBurst + 1] = {0};
  for (uint16_t i = 0; i < count; ++i) bytes[i + 1] = bytes[i] + frames[i].length;
  const uint16_t accepted = transport_.send(0, frames, count);
  counters_.tx_packets += accepted;
  counters_.tx_bytes += bytes[accepted];
  if (accepted < count) ++counters_.tx_full;
  return accepted;
}

uint32_t End::acknowledge() {
  uint32_t sent = 0;
  for (Receiver* receiver : expecting_) {
    if (!receiver->owes_ack() || !link_up_) continue;
    Frame frame{nullptr, kMinFrame, nullptr};
    if (transport_.reserve(0, &frame, 1) == 0) break;
    write_probe(frame.data, frame.length, receiver->ack(), receiver->spec().seed);
    if (transmit(&frame, 1) == 0) break;  // full: the next one says all that this one said
    receiver->ack_sent();
    ++counters_.acks;
    ++sent;
  }
  return sent;
}

uint32_t End::say_hello(uint64_t now_ns) {
  if (!link_up_ || !announces_) return 0;
  if (hello_cursor_ >= addresses_.size()) {
    if (now_ns < next_hello_ns_) return 0;
    hello_cursor_ = 0;
    next_hello_ns_ = now_ns + kHelloInterval_ns;
  }
  Frame frames[kBurst];
  const auto wanted = static_cast<uint16_t>(std::min<size_t>(kBurst, addresses_.size() - hello_cursor_));
  for (uint16_t i = 0; i < wanted; ++i) frames[i].length = kMinFrame;
  const uint16_t room = transport_.reserve(0, frames, wanted);
  for (uint16_t i = 0; i < room; ++i) {
    Probe hello;
    hello.destination = kBroadcast;
    hello.source = addresses_[hello_cursor_ + i];
    hello.kind = Kind::hello;
    hello.stamp_ns = now_ns;
    write_probe(frames[i].data, kMinFrame, hello, 0);
  }
  const uint16_t accepted = room ? transmit(frames, room) : uint16_t{0};
  hello_cursor_ += accepted;
  counters_.hellos += accepted;
  return accepted;
}

uint32_t End::send(uint64_t now_ns) {
  uint32_t total = 0;
  for (Sender* sender : sending_) {
    const uint64_t bytes = sender->record().sent_bytes, blocked = sender->record().blocked;
    const uint32_t sent = sender->poll(transport_, link_up_, now_ns);
    counters_.tx_packets += sent;
    counters_.tx_bytes += sender->record().sent_bytes - bytes;
    if (link_up_ && sender->record().blocked != blocked) ++counters_.tx_full;
    total += sent;
  }
  return total;
}

}  // namespace testbed::flow
