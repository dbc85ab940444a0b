#include "core/base/rpc_server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <cerrno>
#include <deque>
#include <limits>
#include <utility>

#include "core/base/json_document.hpp"
#include "core/base/unix_socket.hpp"

namespace testbed {

using boost::asio::local::stream_protocol;
using nlohmann::json;

namespace {

constexpr int kParseError = -32700, kInvalidRequest = -32600, kMethodNotFound = -32601, kServerError = -32000;

json error_reply(const json& id, int code, std::string message, json data = nullptr) {
  json error = {{"code", code}, {"message", std::move(message)}};
  if (!data.is_null()) error["data"] = std::move(data);
  return {{"jsonrpc", "2.0"}, {"id", id}, {"error", std::move(error)}};
}

json result_reply(const json& id, Result<json> result) {
  if (result) return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(*result)}};
  json data = {{"code", to_string(result.error().code)}};
  for (const auto& [path, message] : result.error().mistakes)
    data["errors"].push_back({{"path", path}, {"message", message}});
  return error_reply(id, kServerError, result.error().message, std::move(data));
}

std::string to_line(const json& document) {
  // Strings from peers may hold anything; replace what is not UTF-8 instead of throwing.
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

// One client: a read loop, and a queue of lines to write.
class RpcConnection : public std::enable_shared_from_this<RpcConnection> {
 public:
  RpcConnection(RpcServer& server, stream_protocol::socket socket)
      : server_(&server), socket_(std::move(socket)), input_(RpcServer::kMaxLine) {}

  void read() {
    boost::asio::async_read_until(
        socket_, input_, '\n', [self = shared_from_this()](boost::system::error_code error, size_t length) {
          if (error || !self->server_) return self->drop();
          std::string line(
              boost::asio::buffers_begin(self->input_.data()),
              boost::asio::buffers_begin(self->input_.data()) + static_cast<std::ptrdiff_t>(length));
          self->input_.consume(length);
          self->server_->dispatch(self, line);
          if (self->server_) self->read();
        });
  }

  void send(const json& document) {
    if (!server_) return;
    std::string line = to_line(document);
    unsent_ += line.size();
    if (unsent_ > RpcServer::kMaxUnsent) return drop();
    output_.push_back(std::move(line));
    if (output_.size() == 1) write();
  }

  // Sends what is queued as far as the client's buffer takes it, without waiting. False: the client is gone.
  bool flush() {
    while (!output_.empty()) {
      const std::string& line = output_.front();
      const ssize_t count = ::send(socket_.native_handle(), line.data() + written_, line.size() - written_,
                                   MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0) return errno == EAGAIN || errno == EINTR;
      unsent_ -= static_cast<size_t>(count);
      written_ += static_cast<size_t>(count);
      if (written_ < line.size()) continue;
      output_.pop_front();
      written_ = 0;
    }
    return true;
  }

  void drop() {
    if (!server_) return;
    auto self = shared_from_this();  // erasing may drop the last reference
    auto* server = std::exchange(server_, nullptr);
    server->connections_.erase(self);
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  // The number of the next event this client gets; kNotSubscribed until it asks.
  static constexpr uint64_t kNotSubscribed = UINT64_MAX;
  uint64_t next_event = kNotSubscribed;

 private:
  void write() {
    if (!flush()) return drop();
    if (output_.empty()) return;
    socket_.async_wait(stream_protocol::socket::wait_write,
                       [self = shared_from_this()](boost::system::error_code error) {
                         if (!self->server_) return;
                         if (error) return self->drop();
                         self->write();
                       });
  }

  RpcServer* server_;  // null once dropped
  stream_protocol::socket socket_;
  boost::asio::streambuf input_;
  std::deque<std::string> output_;
  size_t unsent_ = 0;
  size_t written_ = 0;  // octets of output_.front() that left
};

RpcServer::RpcServer(boost::asio::io_context& io, EventLog& events)
    : io_(io), events_(events), acceptor_(io) {
  method("methods", [this](const json&) -> Result<json> {
    json names = json::array();
    for (const auto& [name, handler] : methods_) names.push_back(name);
    return names;
  });
  events_.set_listener([this, alive = std::weak_ptr<bool>(alive_)](const json& event) {
    // Events come from any thread; clients are written to from the io_context's.
    boost::asio::post(io_, [this, alive, event] {
      if (alive.lock()) broadcast(event);
    });
  });
}

RpcServer::~RpcServer() {
  events_.set_listener(nullptr);
  close();
}

void RpcServer::method(std::string name, Handler handler) {
  async_method(std::move(name),
               [handler = std::move(handler)](const json& params, Reply reply) { reply(handler(params)); });
}

void RpcServer::async_method(std::string name, AsyncHandler handler) {
  methods_[std::move(name)] = std::move(handler);
}

Result<void> RpcServer::listen(const std::string& path) {
  auto fd = listen_unix(path);
  if (!fd) return tl::unexpected(fd.error());
  ::chmod(path.c_str(), 0600);
  acceptor_.assign(stream_protocol(), fd->release());
  path_ = path;
  accept();
  return {};
}

void RpcServer::serve(stream_protocol::socket socket) {
  auto connection = std::make_shared<RpcConnection>(*this, std::move(socket));
  connections_.insert(connection);
  connection->read();
}

void RpcServer::accept() {
  acceptor_.async_accept([this, alive = std::weak_ptr<bool>(alive_)](boost::system::error_code error,
                                                                     stream_protocol::socket socket) {
    if (!alive.lock() || error == boost::asio::error::operation_aborted) return;
    if (!error) serve(std::move(socket));
    accept();
  });
}

void RpcServer::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
  const auto connections = connections_;
  for (const auto& connection : connections) {
    connection->flush();  // the last events of a process are not lost
    connection->drop();
  }
}

void RpcServer::dispatch(const std::shared_ptr<RpcConnection>& from, const std::string& line) {
  const auto parsed = parse_json(line);
  if (!parsed) return from->send(error_reply(nullptr, kParseError, parsed.error().message));
  const json& request = *parsed;
  const json id = request.is_object() ? request.value("id", json()) : json();
  if (!request.is_object() || !request.contains("method") || !request["method"].is_string())
    return from->send(
        error_reply(id, kInvalidRequest, "not a JSON-RPC 2.0 request: an object with a method"));
  const std::string name = request["method"];
  const json params = request.value("params", json::object());
  if (name == "events.subscribe") {
    const uint64_t since =
        params.is_object() && params.contains("since") && params["since"].is_number_unsigned()
            ? params["since"].get<uint64_t>()
            : events_.next_seq();
    return subscribe(*from, id, since);
  }
  const auto found = methods_.find(name);
  if (found == methods_.end())
    return from->send(error_reply(id, kMethodNotFound, "no method '" + name + "'; `methods` lists them"));
  auto reply = [weak = std::weak_ptr(from), id](Result<json> result) {
    auto connection = weak.lock();
    if (connection && !id.is_null()) connection->send(result_reply(id, std::move(result)));
  };
  try {
    found->second(params, reply);
  } catch (const json::exception& error) {  // a parameter of the wrong type
    reply(fail(Errc::invalid_argument, name + ": " + error.what()));
  }
}

void RpcServer::subscribe(RpcConnection& client, const json& id, uint64_t since) {
  const auto kept = events_.since(since);
  // An event that was emitted but not broadcast yet is among `kept`: its number keeps it from being sent
  // twice.
  client.next_event =
      kept.empty() ? std::max(since, events_.next_seq()) : kept.back()["seq"].get<uint64_t>() + 1;
  client.send({{"jsonrpc", "2.0"}, {"id", id}, {"result", {{"next", client.next_event}}}});
  for (const auto& event : kept) client.send({{"jsonrpc", "2.0"}, {"method", "event"}, {"params", event}});
}

void RpcServer::broadcast(const json& event) {
  const auto connections = connections_;
  for (const auto& connection : connections)
    if (event["seq"] >= connection->next_event)
      connection->send({{"jsonrpc", "2.0"}, {"method", "event"}, {"params", event}});
}

}  // namespace testbed
