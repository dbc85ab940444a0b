// The client role: connects at once when the socket appears (inotify), and until then knows how to wait.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "emu/proxy/endpoint.hpp"

namespace testbed::proxy {

class Connector : public Endpoint {
 public:
  Connector(boost::asio::io_context& io, DirectoryWatch& watch, std::string path, OnConnected on_connected);

  Result<void> open() override;
  void want() override;
  void unwant() override;
  std::string_view state() const override { return wanted_ ? "connecting" : "idle"; }

 private:
  using Clock = std::chrono::steady_clock;
  // A peer that accepts and closes at once must not make us spin.
  static constexpr std::chrono::milliseconds kApart{10};
  // The file is there before listen(2) was called on it (1 ms, doubled up to here); a file whose owner was
  // killed may stay for long. A directory that cannot be watched is looked at this often.
  static constexpr std::chrono::milliseconds kLongestRetry{50};

  void attempt_after(Clock::duration delay);
  void attempt();
  void retry(Errc why);

  boost::asio::io_context& io_;
  DirectoryWatch& watch_;
  std::string path_;
  OnConnected on_connected_;
  boost::asio::steady_timer timer_;
  DirectoryWatch::Subscription subscription_;
  std::chrono::milliseconds retry_{1};
  Clock::time_point last_{};  // connected
  bool wanted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed::proxy
