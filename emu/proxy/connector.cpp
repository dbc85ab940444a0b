#include "emu/proxy/connector.hpp"

#include <algorithm>
#include <utility>

#include "core/base/unix_socket.hpp"
#include "emu/proxy/listener.hpp"

namespace testbed::proxy {

std::unique_ptr<Endpoint> Endpoint::make(boost::asio::io_context& io, DirectoryWatch& watch,
                                         EndpointConfig config, OnConnected on_connected) {
  if (config.role == Role::server)
    return std::make_unique<Listener>(io, std::move(config.path), std::move(on_connected));
  return std::make_unique<Connector>(io, watch, std::move(config.path), std::move(on_connected));
}

Connector::Connector(boost::asio::io_context& io, DirectoryWatch& watch, std::string path,
                     OnConnected on_connected)
    : io_(io), watch_(watch), path_(std::move(path)), on_connected_(std::move(on_connected)), timer_(io) {
}

Result<void> Connector::open() {
  return check_socket_path(path_);
}

void Connector::want() {
  if (std::exchange(wanted_, true)) return;
  retry_ = std::chrono::milliseconds(1);
  attempt_after(std::max<Clock::duration>(last_ + kApart - Clock::now(), Clock::duration::zero()));
}

void Connector::unwant() {
  wanted_ = false;
  timer_.cancel();
  subscription_.reset();
}

void Connector::attempt_after(Clock::duration delay) {
  timer_.expires_after(delay);
  timer_.async_wait([this, guard = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
    if (!error && !guard.expired() && wanted_) attempt();
  });
}

void Connector::attempt() {
  // Watched first, then tried: a socket that appears in between is not missed.
  if (!subscription_)
    subscription_ = watch_.watch(path_, [this] {
      retry_ = std::chrono::milliseconds(1);
      attempt_after(Clock::duration::zero());
    });
  auto fd = connect_unix(path_);
  if (!fd) return retry(fd.error().code);
  last_ = Clock::now();
  unwant();
  on_connected_(Socket(io_, boost::asio::local::stream_protocol(), fd->release()));
}

void Connector::retry(Errc why) {
  if (why == Errc::not_found && subscription_) return;  // its appearance is the event to wait for
  attempt_after(why == Errc::not_found ? kLongestRetry : retry_);
  retry_ = std::min(retry_ * 2, kLongestRetry);
}

}  // namespace testbed::proxy
