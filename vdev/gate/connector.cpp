#include "vdev/gate/connector.hpp"

#include <filesystem>

#include "core/base/unix_socket.hpp"

namespace testbed::gate {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

fs::path nearest_directory(const fs::path& socket) {
  std::error_code ignored;
  fs::path directory = socket.parent_path();
  while (!fs::is_directory(directory, ignored) && directory.has_relative_path())
    directory = directory.parent_path();
  return directory.empty() ? fs::path(".") : directory;
}

}  // namespace

Connector::Connector(boost::asio::io_context& io, DirectoryWatch& watch, std::string path,
                     OnConnected on_connected)
    : watch_(watch), path_(std::move(path)), on_connected_(std::move(on_connected)), retry_(io) {
}

Connector::~Connector() {
  *alive_ = false;
  stop_watching();
}

void Connector::start() {
  active_ = true;
  refused_since_ = steady_clock::now();
  watch_directory();
  attempt();
}

void Connector::attempt() {
  if (!active_) return;
  auto socket = connect_unix(path_);
  if (!socket) return look_again(socket.error());
  active_ = false;
  last_error_.clear();
  retry_.cancel();
  stop_watching();
  on_connected_(std::move(*socket));
}

void Connector::look_again(const Error& error) {
  last_error_ = error.message;
  // Nothing there: the directory will tell, if it could be watched.
  if (error.code == Errc::not_found && token_) return;
  const bool fresh = error.code == Errc::refused || error.code == Errc::busy;
  const bool patient = steady_clock::now() - refused_since_ < kPatience;
  retry_.expires_after(fresh && patient ? kSoon : kLater);
  retry_.async_wait([this, alive = alive_](const boost::system::error_code& aborted) {
    if (!aborted && *alive) attempt();
  });
}

void Connector::watch_directory() {
  // A directory that appears between looking and watching is found by looking again.
  for (int tries = 0; tries < 8; ++tries) {
    const std::string nearest = nearest_directory(path_);
    if (token_ && watched_ == nearest) return;
    stop_watching();
    auto token = watch_.add(nearest, [this](const std::string& name) {
      const fs::path changed = fs::path(watched_) / name;
      const std::string_view path = path_;
      if (!name.empty() && path != changed.native() && !path.starts_with(changed.native() + "/")) return;
      refused_since_ = steady_clock::now();
      watch_directory();
      attempt();
    });
    if (!token) continue;
    token_ = *token;
    watched_ = nearest;
  }
}

void Connector::stop_watching() {
  if (token_) watch_.remove(*token_);
  token_.reset();
}

}  // namespace testbed::gate
