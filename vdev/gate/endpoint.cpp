#include "vdev/gate/endpoint.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>

#include "core/base/clock.hpp"
#include "core/base/unix_socket.hpp"

namespace testbed::gate {
namespace {

std::atomic<uint64_t> last_session_id = 0;

// So many connections are looked at before the loop serves others.
constexpr int kConnectionsAtOnce = 64;

// A peer that is refused before it had a ring, and comes back at once, is let wait: not the first times, and
// not for long. One whose ring was started has sent so many good messages that nobody saves work by the wait.
constexpr uint32_t kForgiven = 3;
constexpr std::chrono::milliseconds kFirstPause{5}, kLongestPause{100};
constexpr uint64_t kSoonNs = 1'000'000'000;

}  // namespace

Result<std::unique_ptr<Endpoint>> Endpoint::open(boost::asio::io_context& io, EventLog& events,
                                                 DirectoryWatch& watch, EndpointConfig config,
                                                 PortMemory& memory, SessionHost& host) {
  if (auto ok = check_socket_path(config.path); !ok) return tl::unexpected(ok.error());
  std::unique_ptr<Endpoint> endpoint(new Endpoint(io, events, std::move(config), memory, host));
  if (endpoint->config_.role == Role::server) {
    if (auto ok = endpoint->listen(); !ok) return tl::unexpected(ok.error());
  } else {
    endpoint->connector_ =
        std::make_unique<Connector>(io, watch, endpoint->config_.path,
                                    [e = endpoint.get()](Fd socket) { e->connected(std::move(socket)); });
    // From the loop: whoever makes the port gets it back before its first session begins.
    endpoint->start_connecting();
  }
  return endpoint;
}

Endpoint::Endpoint(boost::asio::io_context& io, EventLog& events, EndpointConfig config, PortMemory& memory,
                   SessionHost& host)
    : io_(io),
      events_(events),
      config_(std::move(config)),
      memory_(memory),
      host_(host),
      timeline_(events, config_.port),
      refusals_(events, config_.port),
      pause_(io),
      listener_(io) {
}

Endpoint::~Endpoint() {
  *alive_ = false;
  connector_.reset();
  if (session_) session_->end(EndReason::removed, "");
  if (listener_.is_open()) {
    // The file is ours: nobody else could have bound it while we listened, unless somebody removed it first.
    struct stat now {};
    if (::lstat(config_.path.c_str(), &now) == 0 && now.st_ino == inode_) ::unlink(config_.path.c_str());
  }
}

Result<void> Endpoint::listen() {
  auto socket = listen_unix(config_.path);
  if (!socket) return tl::unexpected(socket.error());
  struct stat info {};
  if (::lstat(config_.path.c_str(), &info) == 0) inode_ = info.st_ino;
  listener_.assign(socket->release());
  wait_for_connection();
  return {};
}

void Endpoint::wait_for_connection() {
  if (std::exchange(waiting_, true)) return;
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this, alive = alive_](const boost::system::error_code& error) {
                         if (error || !*alive) return;
                         waiting_ = false;
                         take_connections();
                         if (*alive && !paused_) wait_for_connection();
                       });
}

void Endpoint::take_connections() {
  for (int i = 0; i < kConnectionsAtOnce && !paused_; ++i) {
    Fd socket(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) return;
    connected(std::move(socket));
  }
}

void Endpoint::start_connecting() {
  boost::asio::post(io_, [this, alive = alive_] {
    if (*alive) connector_->start();
  });
}

Offer Endpoint::offer() const {
  const PortMemory::Features before = memory_.features();
  const uint64_t limit = before.open ? before.offered : ~uint64_t{0};
  return {host_.capability() & limit, host_.protocol_capability(), config_.queue_pairs};
}

// A front-end that closes and connects again at once is there before the loop has seen the end of its session.
void Endpoint::give_up_abandoned() {
  if (!session_ || !session_->abandoned()) return;
  session_->end(EndReason::peer_closed, "the peer closed the connection");
  session_ended(EndReason::peer_closed);
}

void Endpoint::connected(Fd socket) {
  give_up_abandoned();
  if (session_) {
    refusals_.note(session_->id(), {Reason::busy, "the port has a session; a second connection was closed"},
                   false);
    return;
  }
  const SessionContext context{io_,       events_,      memory_, timeline_,
                               refusals_, config_.port, offer(), config_.deadline};
  session_ = std::make_shared<Session>(context, ++last_session_id, std::move(socket));
  auto backend = host_.open_backend(*session_);
  if (!backend) {
    last_error_ = backend.error().message;
    session_->end(EndReason::backend_lost, last_error_);
    return session_ended(EndReason::backend_lost);
  }
  if (config_.wrap) backend = config_.wrap(config_.port, std::move(*backend));
  served_ = false;
  session_->start(
      std::move(*backend), [this](wire::Request request) { accepted(request); },
      [this, alive = alive_](EndReason reason) {
        if (*alive) session_ended(reason);
      });
}

void Endpoint::accepted(wire::Request request) {
  served_ = served_ || request == wire::Request::SET_VRING_KICK;
  host_.message_accepted(request);
}

void Endpoint::session_ended(EndReason reason) {
  const auto pause = pause_after(reason, session_->since_ns());
  session_.reset();
  host_.session_over();
  if (pause.count() == 0) return wait_for_next();
  paused_ = true;
  pause_.expires_after(pause);
  pause_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (error || !*alive) return;
    paused_ = false;
    wait_for_next();
  });
}

std::chrono::milliseconds Endpoint::pause_after(EndReason reason, uint64_t since_ns) {
  const bool offence =
      reason == EndReason::refused || reason == EndReason::protocol || reason == EndReason::deadline;
  if (served_ || now_ns() - since_ns > kSoonNs) offences_ = 0;
  if (!offence || ++offences_ <= kForgiven) return {};
  return std::min(kFirstPause * (1 << std::min(offences_ - kForgiven, 8u)), kLongestPause);
}

void Endpoint::wait_for_next() {
  if (connector_) return start_connecting();
  wait_for_connection();
}

void Endpoint::disconnect() {
  if (!session_) return;
  session_->end(EndReason::disconnect, "");
  session_ended(EndReason::disconnect);
}

std::string Endpoint::last_error() const {
  return connector_ && !session_ && !connector_->last_error().empty() ? connector_->last_error()
                                                                      : last_error_;
}

}  // namespace testbed::gate
