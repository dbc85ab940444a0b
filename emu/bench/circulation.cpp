#include "emu/bench/circulation.hpp"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include <algorithm>
#include <cstring>

#include "core/base/thread.hpp"

namespace testbed::bench {
namespace {

constexpr uint16_t kEtherType = 0x88b6;  // IEEE 802 local experimental 2: no probe of a flow
constexpr uint32_t kHelloOctets = 60;    // never the length of a frame that goes round
constexpr double kSilence_s = 0.2;       // after which nothing will come back any more
constexpr double kQuiet_s = 0.02;        // after which everything has come back
constexpr double kLearning_s = 0.1;      // for a switch that hears a thousand addresses in a row

uint64_t cycles_of(double seconds) {
  return static_cast<uint64_t>(seconds * static_cast<double>(rte_get_tsc_hz()));
}

// A chain of as many buffers as the length takes; null when there are not enough.
rte_mbuf* make_frame(rte_mempool* pool, uint32_t octets, const flow::Mac& destination,
                     const flow::Mac& source) {
  rte_mbuf* first = rte_pktmbuf_alloc(pool);
  if (!first) return nullptr;
  rte_mbuf* last = first;
  for (uint32_t left = octets;;) {
    const uint32_t part = std::min<uint32_t>(left, rte_pktmbuf_tailroom(last));
    std::memset(rte_pktmbuf_append(last, static_cast<uint16_t>(part)), 0x5a, part);
    left -= part;
    if (left == 0) break;
    last->next = rte_pktmbuf_alloc(pool);
    if (!last->next) {
      rte_pktmbuf_free(first);
      return nullptr;
    }
    last = last->next;
    ++first->nb_segs;
  }
  first->pkt_len = octets;
  auto* ethernet = rte_pktmbuf_mtod(first, uint8_t*);
  std::memcpy(ethernet, destination.octets.data(), 6);
  std::memcpy(ethernet + 6, source.octets.data(), 6);
  ethernet[12] = kEtherType >> 8;
  ethernet[13] = kEtherType & 0xff;
  return first;
}

// One octet of each line, behind the addresses.
void touch(rte_mbuf* frame) {
  constexpr uint32_t kLine = 64, kInside = 20;
  for (rte_mbuf* part = frame; part; part = part->next) {
    auto* octets = rte_pktmbuf_mtod(part, volatile uint8_t*);
    for (uint32_t at = kInside; at < part->data_len; at += kLine)
      octets[at] = static_cast<uint8_t>(octets[at] + 1);
  }
}

bool send_or_free(uint16_t port, rte_mbuf* frame) {
  if (!frame) return false;
  if (rte_eth_tx_burst(port, 0, &frame, 1) == 1) return true;
  rte_pktmbuf_free(frame);
  return false;
}

}  // namespace

Circulation::Circulation(std::vector<Direction> directions, Shape shape) : shape_(shape) {
  for (const Direction& direction : directions) lanes_.push_back({.direction = direction});
}

// -- Control thread

void Circulation::start(std::optional<unsigned> cpu) {
  stopping_ = false;
  thread_ = std::thread([this, cpu] { run(cpu); });
}

uint64_t Circulation::stop() {
  if (!thread_.joinable()) return 0;
  stopping_ = true;
  thread_.join();
  uint64_t sent = 0;
  for (const Lane& lane : lanes_) sent += lane.filled;
  return refills_.get() > 0 ? 0 : sent - std::min(collected_, sent);
}

Circulation::Counts Circulation::counts() const {
  return {packets_.get(), polls_.get(), bursts_.get(), busy_cycles_.get(), odd_.get(), refills_.get()};
}

// -- The polling thread

void Circulation::run(std::optional<unsigned> cpu) {
  pthread_setname_np(pthread_self(), "circulation");
  if (cpu) (void)pin_thread(pthread_self(), *cpu);  // where it may not run it runs elsewhere
  rte_thread_register();  // an lcore's number gives this thread its own cache in every mempool
  for (uint64_t before = rte_rdtsc(); !stopping_.load(std::memory_order_relaxed);) {
    const uint32_t moved = round();
    const uint64_t tsc = rte_rdtsc();
    polls_.add(1);
    if (moved > 0) {
      packets_.add(moved);
      busy_cycles_.add(tsc - before);
    }
    before = tsc;
    if (setting_off_)
      set_off(tsc);
    else if (moved == 0)
      refill_silent(tsc);
  }
  take_out();
  rte_thread_unregister();
}

// A burst at a time, between rounds, so that nothing overflows: first every address speaks from where it
// lives, so that a switch that learns floods nothing later; then the frames are made.
void Circulation::set_off(uint64_t tsc) {
  bool done = true;
  if (announced_tsc_ == 0) {
    for (Lane& lane : lanes_) done &= announce(lane);
    if (done) announced_tsc_ = tsc;
    return;
  }
  if (tsc - announced_tsc_ < cycles_of(kLearning_s)) return;
  for (Lane& lane : lanes_) done &= fill(lane);
  setting_off_ = !done;
}

bool Circulation::announce(Lane& lane) {
  const Direction& direction = lane.direction;
  const int end = std::min(lane.announced + kBurst, int{shape_.macs});
  while (lane.announced < end &&
         send_or_free(direction.in, make_frame(direction.in_pool, kHelloOctets, flow::kBroadcast,
                                               direction.destination.plus(lane.announced))))
    ++lane.announced;
  return lane.announced == shape_.macs;
}

bool Circulation::fill(Lane& lane) {
  const Direction& direction = lane.direction;
  const int end = std::min(lane.filled + kBurst, int{shape_.window});
  while (lane.filled < end) {
    const auto pair = static_cast<uint16_t>(lane.filled % shape_.macs);
    if (!send_or_free(direction.out,
                      make_frame(direction.out_pool, shape_.octets, direction.destination.plus(pair),
                                 direction.source.plus(pair))))
      break;
    ++lane.filled;
  }
  lane.last_tsc = rte_rdtsc();
  return lane.filled == shape_.window;
}

uint32_t Circulation::round() {
  uint32_t moved = 0;
  for (Lane& lane : lanes_) moved += pass_on(lane);
  return moved;
}

uint32_t Circulation::pass_on(Lane& lane) {
  if (lane.backlog == 0) {
    const uint16_t received = rte_eth_rx_burst(lane.direction.in, 0, lane.waiting, kBurst);
    if (received == 0) return 0;
    bursts_.add(1);
    lane.last_tsc = rte_rdtsc();
    lane.backlog = keep_ours(lane.waiting, received);
  }
  const uint16_t sent = rte_eth_tx_burst(lane.direction.out, 0, lane.waiting, lane.backlog);
  lane.backlog = static_cast<uint16_t>(lane.backlog - sent);
  if (lane.backlog > 0) std::move(lane.waiting + sent, lane.waiting + sent + lane.backlog, lane.waiting);
  return sent;
}

uint16_t Circulation::keep_ours(rte_mbuf** frames, uint16_t count) {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (frames[i]->pkt_len == shape_.octets) [[likely]]
      frames[kept++] = frames[i];
    else
      rte_pktmbuf_free(frames[i]);
  }
  if (shape_.touch)
    for (uint16_t i = 0; i < kept; ++i) touch(frames[i]);
  if (kept != count) odd_.add(count - kept);
  return kept;
}

void Circulation::refill_silent(uint64_t tsc) {
  static const uint64_t silence = cycles_of(kSilence_s);
  for (Lane& lane : lanes_) {
    if (tsc - lane.last_tsc < silence) continue;
    lane.filled = 0;
    setting_off_ = true;
    refills_.add(1);
  }
}

void Circulation::take_out() {
  collected_ = 0;
  for (Lane& lane : lanes_) {
    rte_pktmbuf_free_bulk(lane.waiting, lane.backlog);
    collected_ += lane.backlog;
    lane.backlog = 0;
  }
  const uint64_t quiet = cycles_of(kQuiet_s);
  for (uint64_t last = rte_rdtsc(); rte_rdtsc() - last < quiet;) {
    for (Lane& lane : lanes_) {
      const uint16_t received = rte_eth_rx_burst(lane.direction.in, 0, lane.waiting, kBurst);
      if (received == 0) continue;
      const uint16_t ours = keep_ours(lane.waiting, received);
      rte_pktmbuf_free_bulk(lane.waiting, ours);
      collected_ += ours;
      last = rte_rdtsc();
    }
  }
}

}  // namespace testbed::bench
