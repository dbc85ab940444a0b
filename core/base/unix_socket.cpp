#include "core/base/unix_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace testbed {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Fd new_socket() {
  return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// Removes the file of a socket whose owner is gone.
Result<void> remove_stale(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode))
    return fail(Errc::already_exists, path + " exists and is not a socket; remove it or choose another path");
  auto probe = connect_unix(path);
  if (probe || probe.error().code == Errc::busy)
    return fail(Errc::busy, path + " is served by another live process; stop it or choose another path");
  if (probe.error().code != Errc::refused) return tl::unexpected(probe.error());
  ::unlink(path.c_str());
  return {};
}

}  // namespace

Result<void> check_socket_path(const std::string& path) {
  if (path.empty()) return fail(Errc::invalid_argument, "the socket path is empty");
  if (path.size() > kMaxSocketPath)
    return fail(Errc::invalid_argument, "socket path of " + std::to_string(path.size()) +
                                            " bytes is too long (at most " + std::to_string(kMaxSocketPath) +
                                            "): " + path);
  return {};
}

Result<Fd> listen_unix(const std::string& path, int backlog) {
  if (auto ok = check_socket_path(path); !ok) return tl::unexpected(ok.error());
  if (auto ok = remove_stale(path); !ok) return tl::unexpected(ok.error());
  Fd fd = new_socket();
  if (!fd) return fail_errno("socket", errno);
  const sockaddr_un address = address_of(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("cannot bind " + path, errno);
  if (::listen(fd.get(), backlog) != 0) return fail_errno("cannot listen on " + path, errno);
  return fd;
}

Result<Fd> connect_unix(const std::string& path) {
  if (auto ok = check_socket_path(path); !ok) return tl::unexpected(ok.error());
  Fd fd = new_socket();
  if (!fd) return fail_errno("socket", errno);
  const sockaddr_un address = address_of(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      return fail(Errc::not_found, path + " does not exist");
    case ECONNREFUSED:
      return fail(Errc::refused, "nobody listens on " + path);
    case EAGAIN:
      return fail(Errc::busy, "the listener on " + path + " has a full backlog");
    default:
      return fail_errno("cannot connect to " + path, errno);
  }
}

}  // namespace testbed
