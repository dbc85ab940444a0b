#include "vdev/gate/endpoint.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>

#include "core/base/unix_socket.hpp"

namespace testbed::gate {
namespace {

std::atomic<uint64_t> last_session_id = 0;

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
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this, alive = alive_](const boost::system::error_code& error) {
                         if (error || !*alive) return;
                         take_connections();
                         if (*alive) wait_for_connection();
                       });
}

void Endpoint::take_connections() {
  for (;;) {
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

void Endpoint::connected(Fd socket) {
  if (session_) {
    events_.emit("session.refused", {{"port", config_.port},
                                     {"session", session_->id()},
                                     {"reason", "busy"},
                                     {"detail", "the port has a session; a second connection was closed"}});
    return;
  }
  const SessionContext context{io_, events_, memory_, timeline_, config_.port, offer(), config_.deadline};
  session_ = std::make_shared<Session>(context, ++last_session_id, std::move(socket));
  auto backend = host_.open_backend(*session_);
  if (!backend) {
    last_error_ = backend.error().message;
    session_->end(EndReason::backend_lost, last_error_);
    return session_ended();
  }
  session_->start(
      std::move(*backend), [this](wire::Request request) { host_.message_accepted(request); },
      [this, alive = alive_](EndReason) {
        if (*alive) session_ended();
      });
}

void Endpoint::session_ended() {
  session_.reset();
  host_.session_over();
  if (connector_) start_connecting();
}

void Endpoint::disconnect() {
  if (!session_) return;
  session_->end(EndReason::disconnect, "");
  session_ended();
}

std::string Endpoint::last_error() const {
  return connector_ && !session_ && !connector_->last_error().empty() ? connector_->last_error()
                                                                      : last_error_;
}

}  // namespace testbed::gate
