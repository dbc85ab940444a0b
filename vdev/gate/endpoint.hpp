// A port's vhost-user socket: path, role and policy. Lives as long as the configuration says, while sessions
// come and go, one at a time. Control thread only.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "vdev/gate/connector.hpp"
#include "vdev/gate/session.hpp"

namespace testbed::gate {

enum class Role : uint8_t { server, client };

struct EndpointConfig {
  std::string port;
  std::string path;
  Role role;
  uint16_t queue_pairs;
  std::chrono::milliseconds deadline{5000};  // for half a message
  BackendWrapper wrap = {};
};

// What stands behind the gate: makes a back-end for each session and learns of its life.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  virtual Result<std::unique_ptr<Backend>> open_backend(Session& session) = 0;
  virtual void message_accepted(wire::Request request) = 0;
  virtual void session_over() = 0;
  // What may be offered at most, whatever was remembered.
  virtual uint64_t capability() const = 0;
  virtual uint64_t protocol_capability() const = 0;
};

class Endpoint {
 public:
  // Binds and listens, or begins to look for the socket. Errors of the server role: those of listen_unix.
  // `memory` and `host` outlive the endpoint.
  static Result<std::unique_ptr<Endpoint>> open(boost::asio::io_context& io, EventLog& events,
                                                DirectoryWatch& watch, EndpointConfig config,
                                                PortMemory& memory, SessionHost& host);
  ~Endpoint();

  const EndpointConfig& config() const { return config_; }
  Session* session() const { return session_.get(); }
  void disconnect();
  nlohmann::json timeline() const { return timeline_.messages(); }
  const Refusals& refusals() const { return refusals_; }
  // "listening" or "connecting" while there is no session.
  std::string_view waiting_state() const { return config_.role == Role::server ? "listening" : "connecting"; }
  std::string last_error() const;

 private:
  Endpoint(boost::asio::io_context& io, EventLog& events, EndpointConfig config, PortMemory& memory,
           SessionHost& host);
  Result<void> listen();
  void start_connecting();
  void wait_for_connection();
  void take_connections();
  void give_up_abandoned();
  void connected(Fd socket);
  void accepted(wire::Request request);
  void session_ended(EndReason reason);
  std::chrono::milliseconds pause_after(EndReason reason, uint64_t since_ns);
  void wait_for_next();
  Offer offer() const;

  boost::asio::io_context& io_;
  EventLog& events_;
  EndpointConfig config_;
  PortMemory& memory_;
  SessionHost& host_;
  Timeline timeline_;
  Refusals refusals_;
  boost::asio::steady_timer pause_;
  bool waiting_ = false;  // for a connection
  bool paused_ = false;
  bool served_ = false;    // a ring of this session was started
  uint32_t offences_ = 0;  // sessions in a row that were refused soon
  boost::asio::posix::stream_descriptor listener_;
  std::unique_ptr<Connector> connector_;
  std::shared_ptr<Session> session_;
  std::string last_error_;
  uint64_t inode_ = 0;  // of the socket's file: only our own is removed
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed::gate
