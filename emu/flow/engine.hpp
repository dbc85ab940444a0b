// The flows of one process: its ends (a transport and the MACs behind it), the senders and the receivers on
// them. Knows no thread: whoever owns it calls poll() again and again, and everything else between two polls.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "emu/flow/end.hpp"
#include "emu/flow/receiver.hpp"
#include "emu/flow/sender.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::flow {

// What a poll found, so that its caller can decide how to wait for the next.
struct Activity {
  uint32_t frames = 0;                 // sent or received
  bool busy = false;                   // a closed loop is running: wait as little as possible
  uint64_t next_send_ns = UINT64_MAX;  // when the next paced frame is due
};

class FlowEngine {
 public:
  // An event of docs/protocol.md: frontend.link, flow.moving, flow.outage. Called inside poll().
  using Emit = std::function<void(std::string_view name, nlohmann::json fields)>;
  using Clock = std::function<uint64_t()>;

  explicit FlowEngine(Emit emit, Clock clock = now_ns);

  // `transport` outlives the end. Errc::already_exists. `announces`: it says hello.
  Result<void> add_end(const std::string& name, Transport& transport, const Mac& mac, bool announces = true);
  // Its flows go with it. Errc::not_found.
  Result<void> remove_end(const std::string& name);

  // Makes a sender (it does not send before start()) or a receiver; one of the same flow is replaced.
  // Errc::not_found: no such end. Errc::invalid_argument: a frame size the transport cannot carry, no such
  // queue...
  Result<void> send(const SendSpec& spec);
  Result<void> expect(const ExpectSpec& spec);
  Result<void> remove(uint16_t flow);

  // All senders, or that of one flow. Returns the engine's clock. Errc::not_found.
  Result<uint64_t> start(const uint16_t* flow);
  Result<uint64_t> stop(const uint16_t* flow);
  Result<void> set(uint16_t flow, const FlowChange& change);

  // All ends say hello at the next poll.
  void announce();

  Activity poll();
  uint64_t now() const { return clock_(); }

  const std::map<std::string, std::unique_ptr<End>>& ends() const { return ends_; }
  const std::map<uint16_t, std::unique_ptr<Sender>>& senders() const { return senders_; }
  const std::map<uint16_t, std::unique_ptr<Receiver>>& receivers() const { return receivers_; }

 private:
  End* find_end(const std::string& name);
  void poll_end(const std::string& name, End& end, uint64_t now, Activity& activity);

  Emit emit_;
  Clock clock_;
  std::map<std::string, std::unique_ptr<End>> ends_;
  std::map<uint16_t, std::unique_ptr<Sender>> senders_;
  std::map<uint16_t, std::unique_ptr<Receiver>> receivers_;
};

}  // namespace testbed::flow
