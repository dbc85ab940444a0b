// One side of a leg: a path and a role. Brings one connection whenever it is asked for one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "emu/proxy/directory_watch.hpp"
#include "emu/proxy/outlet.hpp"

namespace testbed::proxy {

// The proxy's own role there: as server it listens, as client it connects.
enum class Role : uint8_t { server, client };

struct EndpointConfig {
  std::string path;
  Role role = Role::server;
};

class Endpoint {
 public:
  using OnConnected = std::function<void(Socket)>;

  virtual ~Endpoint() = default;
  // Once, before anything else. As server: binds and listens, errors as listen_unix().
  virtual Result<void> open() = 0;
  // From now on one connection is wanted; on_connected is called with it, never from within want(). Peers
  // that come while none is wanted wait in the backlog.
  virtual void want() = 0;
  virtual void unwant() = 0;
  // What it is doing, for the status.
  virtual std::string_view state() const = 0;

  // `io` and `watch` outlive the endpoint.
  static std::unique_ptr<Endpoint> make(boost::asio::io_context& io, DirectoryWatch& watch,
                                        EndpointConfig config, OnConnected on_connected);
};

}  // namespace testbed::proxy
