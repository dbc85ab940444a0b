#include "vdev/link/link_port.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include "core/base/unix_socket.hpp"

namespace testbed::link {
namespace {

// Another worker that sends holds it for one burst.
class Sending {
 public:
  explicit Sending(rte_spinlock_t& lock) : lock_(lock) { rte_spinlock_lock(&lock_); }
  ~Sending() { rte_spinlock_unlock(&lock_); }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;

 private:
  rte_spinlock_t& lock_;
};

}  // namespace

LinkOptions read_options(Options& options) {
  LinkOptions read;
  read.server = options.choice("role", {"server", "client"}, "server") == "server";
  read.path = options.text("path");
  if (auto ok = check_socket_path(read.path); !ok && !read.path.empty())
    options.mistake("path", ok.error().message);
  return read;
}

Result<std::unique_ptr<Port>> LinkPort::open(std::string name, LinkOptions options,
                                             PortEnvironment& environment, gate::DirectoryWatch& watch,
                                             gate::Doorbell& doorbell) {
  std::unique_ptr<LinkPort> port(new LinkPort(std::move(name), std::move(options), environment, doorbell));
  if (port->options_.server) {
    if (auto ok = port->listen(); !ok) return tl::unexpected(ok.error());
  } else {
    port->connector_ = std::make_unique<gate::Connector>(
        environment.io, watch, port->options_.path,
        [raw = port.get()](Fd socket) { raw->connected(std::move(socket)); });
    // From the loop: whoever makes the port gets it back before its first session begins.
    boost::asio::post(environment.io, [raw = port.get(), alive = port->alive_] {
      if (*alive) raw->connector_->start();
    });
  }
  doorbell.add(port.get(), [raw = port.get()] { raw->look(); });
  return port;
}

LinkPort::LinkPort(std::string name, LinkOptions options, PortEnvironment& environment,
                   gate::Doorbell& doorbell)
    : Port(std::move(name)),
      options_(std::move(options)),
      environment_(environment),
      doorbell_(doorbell),
      listener_(environment.io) {
}

LinkPort::~LinkPort() {
  *alive_ = false;
  doorbell_.remove(this);
  connector_.reset();
  end("removed");
  if (listener_.is_open()) ::unlink(options_.path.c_str());
}

Result<void> LinkPort::listen() {
  auto socket = listen_unix(options_.path);
  if (!socket) return tl::unexpected(socket.error());
  listener_.assign(socket->release());
  wait_for_peer();
  return {};
}

void LinkPort::wait_for_peer() {
  listener_.async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [this, alive = alive_](const boost::system::error_code& error) {
        if (error || !*alive) return;
        Fd peer(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (peer) connected(std::move(peer));
        wait_for_peer();
      });
}

// A cable has two ends: whoever plugs in last is the peer.
void LinkPort::connected(Fd socket) {
  end("replaced");
  session_ = std::make_unique<LinkSession>(std::move(socket));
  published_.store(session_.get(), std::memory_order_release);
  environment_.quiescence.wake();
  environment_.events.emit("link.up", {{"port", name()}});
}

void LinkPort::look() {
  if (!session_ || !session_->gone()) return;
  end(session_->reason());
  if (connector_) connector_->start();
}

void LinkPort::end(const std::string& reason) {
  if (!session_) return;
  published_.store(nullptr, std::memory_order_release);
  environment_.quiescence.wait();
  session_.reset();
  environment_.events.emit("link.down", {{"port", name()}, {"reason", reason}});
}

void LinkPort::disconnect() {
  if (!session_) return;
  end("disconnect");
  if (connector_) connector_->start();
}

nlohmann::json LinkPort::describe() const {
  const char* without = options_.server ? "listening" : "connecting";
  return {{"type", "link"},
          {"role", options_.server ? "server" : "client"},
          {"path", options_.path},
          {"state", session_ ? "up" : without}};
}

uint16_t LinkPort::receive(WorkerContext&, uint16_t, Packet* packets) {
  LinkSession* session = published_.load(std::memory_order_acquire);
  if (session == nullptr || session->gone()) return 0;
  if (session->waits()) {
    const Sending lock(sending_);
    session->flush();
  }
  const uint16_t count = session->receive(packets);
  if (session->gone()) doorbell_.ring();
  return count;
}

void LinkPort::release(WorkerContext&, uint16_t, Packet*, uint16_t) {
  // The session that lent the packets is there still: freeing it waits for the end of this burst.
  if (LinkSession* session = published_.load(std::memory_order_acquire)) session->release();
}

TxOutcome LinkPort::transmit(WorkerContext&, uint16_t, Packet* const* packets, uint16_t count) {
  LinkSession* session = published_.load(std::memory_order_acquire);
  if (session == nullptr || session->gone()) return {.sent = 0, .queue = 0, .reason = DropReason::port_down};
  const Sending lock(sending_);
  const uint16_t sent = session->send(packets, count);
  if (session->gone()) doorbell_.ring();
  const bool big = sent < count && packets[sent]->length > kMaxFrame;
  return {.sent = sent, .queue = 0, .reason = big ? DropReason::too_big : DropReason::ring_full, .more = big};
}

int LinkPort::arm(uint16_t) {
  const LinkSession* session = published_.load(std::memory_order_acquire);
  if (session == nullptr || session->gone()) return kQuiet;
  if (session->has_frames()) return kReady;
  return session->waits() ? kNap : session->fd();
}

}  // namespace testbed::link
