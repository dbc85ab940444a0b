// Unix stream sockets: addresses, listening without harming a live owner, connecting without blocking.
#pragma once

#include <string>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"

namespace testbed {

// sun_path holds 108 bytes with its terminating zero.
inline constexpr size_t kMaxSocketPath = 107;

// Errc::invalid_argument when the path is empty or too long; says how long it is and what to do.
Result<void> check_socket_path(const std::string& path);

// Non-blocking, close-on-exec listening socket. A socket file that nobody serves any more is replaced; one
// that a live process serves is left alone (Errc::busy), as is anything that is not a socket.
Result<Fd> listen_unix(const std::string& path, int backlog = 16);

// Non-blocking, close-on-exec connection. Errc::not_found: no such file. Errc::refused: nobody listens (yet).
// Errc::busy: the listener's backlog is full.
Result<Fd> connect_unix(const std::string& path);

}  // namespace testbed
