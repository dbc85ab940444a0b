// The client role: finds a socket as soon as somebody listens on it, and connects. No polling while there is
// nothing to connect to: the socket's directory is watched, or the nearest one that exists above it.
//
// Between bind and listen a socket's file exists and refuses; that is worth a few short retries. A file that
// goes on refusing is left over from somebody dead, and is tried at longer intervals until the directory
// changes.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/fd.hpp"
#include "vdev/gate/directory_watch.hpp"

namespace testbed::gate {

class Connector {
 public:
  static constexpr std::chrono::milliseconds kSoon{2}, kLater{50}, kPatience{2000};
  using OnConnected = std::function<void(Fd)>;

  Connector(boost::asio::io_context& io, DirectoryWatch& watch, std::string path, OnConnected on_connected);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // Looks for the socket until it is connected, then rests until it is started again.
  void start();
  const std::string& last_error() const { return last_error_; }

 private:
  void attempt();
  void look_again(const Error& error);
  void watch_directory();
  void stop_watching();

  DirectoryWatch& watch_;
  std::string path_;
  OnConnected on_connected_;
  boost::asio::steady_timer retry_;
  std::string watched_;
  std::optional<uint64_t> token_;
  std::chrono::steady_clock::time_point refused_since_{};
  std::string last_error_;
  bool active_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // a timer that has fired cannot be cancelled
};

}  // namespace testbed::gate
