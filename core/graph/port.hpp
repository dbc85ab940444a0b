// Where something plugs into the switch. Implemented in vdev (vhost-user sessions, ethdevs); driven by core's
// workers.
//
// Threads. The hot calls come from worker threads; each receive queue is polled by exactly one worker at a
// time, while any worker may transmit to any port. The cold calls and the destructor come from the control
// thread. A port whose state changes (a session comes or goes) publishes the new state with one release store
// and waits on Quiescence before it frees the old one; the plan need not change for that.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/graph/drop.hpp"
#include "core/graph/packet.hpp"

struct rte_mempool;

namespace testbed {

// What a port put off until the worker has looked at all its queues once.
class AfterRound {
 public:
  virtual void after_round() = 0;

 protected:
  ~AfterRound() = default;
};

// What a worker hands to the ports and bricks it runs. One per worker, on its own cache lines.
struct WorkerContext {
  uint16_t id = 0;              // 0 .. workers-1
  rte_mempool* pool = nullptr;  // mbufs for packets this worker receives; owned by the worker domain
  uint64_t now_ns = 0;  // CLOCK_MONOTONIC, refreshed by the worker about once a millisecond: for ageing only
  AfterRound* after_round = nullptr;  // set by a port; called, and cleared, at the end of the round
};

// Waiting for the workers. Implemented by core/worker on rte_rcu_qsbr.
class Quiescence {
 public:
  virtual ~Quiescence() = default;
  // Returns after every worker has passed a point at which it held no packet, session or plan that was
  // reachable before the call. Any thread but a worker's. Bounded by one burst per worker (sleeping workers
  // count as quiescent).
  virtual void wait() = 0;
  // Makes sleeping workers look at their queues again: call after publishing a session or enabling a queue.
  virtual void wake() = 0;
};

struct TxOutcome {
  uint16_t sent;      // the first `sent` packets went out; the rest did not
  uint16_t queue;     // the queue they went to, less than queues(); any when none was sent
  DropReason reason;  // why the rest did not; meaningless when all were sent
  bool more = false;  // only the first of the rest was refused: the ones behind it may be offered again
};

class Port {
 public:
  explicit Port(std::string name) : name_(std::move(name)) {}
  virtual ~Port() = default;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  const std::string& name() const { return name_; }

  // -- Cold: control thread.
  // The `ports` entry of docs/protocol.md, without counters.
  virtual nlohmann::json describe() const = 0;
  // Number of receive queues workers may have to poll, and of queues transmit() may name; fixed for the
  // port's life.
  virtual uint16_t queues() const = 0;
  // The `timeline` reply of docs/protocol.md; ports without sessions have no messages.
  virtual nlohmann::json timeline() const { return {{"messages", nlohmann::json::array()}}; }
  // What its peers were refused since the port is there: reason -> how often. For metrics.
  virtual nlohmann::json refused() const { return nlohmann::json::object(); }
  // Ends the present session, if there is one; the endpoint stays and takes the next.
  virtual void disconnect() {}

  // -- Hot: the worker that owns `queue`.
  // Fills at most kBurst packets, returns how many. Their payloads stay valid until release().
  virtual uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) = 0;
  // Gives back the packets of the last receive() on this queue, all of them, after the burst has run to
  // completion.
  virtual void release(WorkerContext& worker, uint16_t queue, Packet* packets, uint16_t count) = 0;

  // -- Hot: any worker.
  // How many queues transmit() chooses from at present. Above 1 the packets of one call belong to one of them
  // by their flow (graph/steering.hpp); else the port's way of choosing is its own affair.
  virtual uint16_t lanes() const { return 1; }
  // What its peer takes unfinished (graph/packet.hpp): asked only for bursts in which something is. A port that takes
  // nothing sees finished frames only; one that has come to take less in between refuses as bad_offload.
  struct Takes {
    bool checksum = false, tcp4 = false, tcp6 = false;
  };
  virtual Takes takes() const { return {}; }
  // Copies out `count` <= kBurst frames. `lane` says, modulo the queues that are enabled, which one they
  // leave by; where lanes() said 1, it is the queue they came in by. Either way a flow stays in order.
  virtual TxOutcome transmit(WorkerContext& worker, uint16_t lane, Packet* const* packets,
                             uint16_t count) = 0;

  // -- Going to sleep: the worker that owns `queue`.
  // Asks for a wake-up. Returns a descriptor that becomes readable when the queue has work; kNap when the
  // port cannot tell (the worker then polls at long intervals); kReady when there is work already; kQuiet
  // when the queue cannot have work until Quiescence::wake() is called (no session).
  static constexpr int kNap = -1, kReady = -2, kQuiet = -3;
  virtual int arm(uint16_t queue) {
    (void)queue;
    return kNap;
  }
  // After waking, for every queue that was armed, before it is polled again. Consumes the kick. Harmless on a
  // queue that is not armed: a worker that takes over a new plan disarms all its queues.
  virtual void disarm(uint16_t queue) { (void)queue; }

 private:
  std::string name_;
};

}  // namespace testbed
