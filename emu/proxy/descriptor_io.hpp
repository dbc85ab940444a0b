// Bytes and descriptors over a Unix stream socket, without blocking. unix(7), SCM_RIGHTS.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <vector>

#include "core/base/fd.hpp"

namespace testbed::proxy {

// The kernel's SCM_MAX_FD: no message carries more.
inline constexpr size_t kMaxDescriptors = 253;

struct Received {
  ssize_t bytes = 0;  // 0: the end; negative: -errno (-EAGAIN: nothing there yet)
  std::vector<Fd> fds;
  bool descriptors_lost = false;  // more were sent than this process may open
};

Received receive(int socket, std::span<std::byte> into);

// `fds` go with the first byte. Returns the bytes written (at least one, and then all of `fds` went), or
// -errno.
ssize_t transmit(int socket, std::span<const std::byte> bytes, std::span<const Fd> fds);

// The peer has closed its socket (not only its sending half), so nothing written there can arrive.
bool hung_up(int socket);

}  // namespace testbed::proxy
