// Polls a flow engine from an io_context: again at once while frames move, else when a socket has frames or
// the next one is due. The guest has one CPU as a rule: it must not be burnt on looking.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <vector>

#include "emu/flow/engine.hpp"
#include "emu/guest/host_clock.hpp"

namespace testbed::guest {

class FlowPoller {
 public:
  // `clock` is the engine's. Both outlive the poller.
  FlowPoller(boost::asio::io_context& io, flow::FlowEngine& engine, const HostClock& clock);

  // Sockets to wait on; they may be closed after detach() only.
  void attach(const std::vector<int>& sockets);
  void detach();
  // Something was asked of the engine: look now, do not wait for what was due before.
  void wake();

 private:
  void schedule();
  void poll();
  void wait(uint64_t next_send_ns);

  boost::asio::io_context& io_;
  flow::FlowEngine& engine_;
  const HostClock& clock_;
  boost::asio::steady_timer due_;
  std::vector<boost::asio::posix::stream_descriptor> sockets_;
  std::vector<bool> waiting_;  // per socket: a wait is under way
  bool scheduled_ = false;
};

}  // namespace testbed::guest
