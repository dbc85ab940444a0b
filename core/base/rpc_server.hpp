// JSON-RPC 2.0 on a Unix stream socket, one document a line (docs/protocol.md). Runs on one io_context
// thread; handlers run there too and must not block. A client that sends garbage gets a JSON-RPC error; one
// that sends an endless line, or does not read what it is sent, loses its connection. No client can hurt
// another.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/base/event_log.hpp"
#include "core/base/result.hpp"

namespace testbed {

class RpcConnection;

class RpcServer {
 public:
  static constexpr size_t kMaxLine = 4u << 20;     // bytes of one request
  static constexpr size_t kMaxUnsent = 64u << 20;  // bytes a client may leave unread before it is dropped
  // Takes `params` ({} when absent), returns `result`. An Error becomes a JSON-RPC error whose data.code is
  // its Errc.
  using Handler = std::function<Result<nlohmann::json>(const nlohmann::json& params)>;
  using Reply = std::function<void(Result<nlohmann::json>)>;
  // For work that ends later; `reply` must be called exactly once, on the io_context thread.
  using AsyncHandler = std::function<void(const nlohmann::json& params, Reply reply)>;

  // `events` outlives the server. Registers `methods` (names of all methods) and `events.subscribe {since}`.
  RpcServer(boost::asio::io_context& io, EventLog& events);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  void method(std::string name, Handler handler);
  void async_method(std::string name, AsyncHandler handler);

  // Binds and listens (mode 0600). A stale socket file is replaced; one that a live process serves is
  // Errc::busy.
  Result<void> listen(const std::string& path);
  // Serves an already connected stream (the in-guest agent's serial port, a socketpair in tests).
  void serve(boost::asio::local::stream_protocol::socket socket);
  // Stops listening, drops all clients, removes the socket file. Idempotent.
  void close();

  size_t connections() const { return connections_.size(); }

 private:
  friend class RpcConnection;
  void accept();
  void dispatch(const std::shared_ptr<RpcConnection>& from, const std::string& line);
  void subscribe(RpcConnection& client, const nlohmann::json& id, uint64_t since);
  void broadcast(const nlohmann::json& event);

  boost::asio::io_context& io_;
  EventLog& events_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::string path_;
  std::map<std::string, AsyncHandler> methods_;
  std::set<std::shared_ptr<RpcConnection>> connections_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed
