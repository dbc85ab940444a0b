// The frame of every C++ program here: one io_context on the main thread, the event log, the RPC server with
// the methods all programs have (ping, resources, shutdown, events.subscribe), and signals (SIGINT and
// SIGTERM shut down gracefully; SIGPIPE is ignored).
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include <string>
#include <vector>

#include "core/base/event_log.hpp"
#include "core/base/rpc_server.hpp"

namespace testbed {

// What one process holds now, from /proc/self: {"fds", "threads", "mappings", "rss_kb"}.
nlohmann::json process_resources();

class Process {
 public:
  // Emits process.started {program, pid} as the first event.
  explicit Process(std::string program);

  boost::asio::io_context& io() { return io_; }
  EventLog& events() { return events_; }
  RpcServer& rpc() { return rpc_; }

  // Adds fields to the reply of `resources` (mbufs in use, sessions...).
  void add_resources(std::function<void(nlohmann::json&)> fill) { resources_.push_back(std::move(fill)); }
  // Runs once, on the io_context thread, when a shutdown was asked for; `graceful` is false for `shutdown
  // {graceful: false}`.
  void on_shutdown(std::function<void(bool graceful)> handler) { shutdown_ = std::move(handler); }

  // Runs until shut down. Returns the exit status (0).
  int run();
  void stop(bool graceful);

 private:
  void wait_for_signal();

  std::string program_;
  boost::asio::io_context io_{1};
  EventLog events_;
  RpcServer rpc_{io_, events_};
  boost::asio::signal_set signals_{io_};
  std::vector<std::function<void(nlohmann::json&)>> resources_;
  std::function<void(bool)> shutdown_;
  bool stopping_ = false;
};

}  // namespace testbed
