// What a frontend holds of one backend: where it meets it, the session, the backend's own channel, and how
// far the handshake has come.
#pragma once

#include <memory>
#include <string>

#include "core/base/fd.hpp"
#include "emu/driver/session/backend_requests.hpp"
#include "emu/driver/session/handshake.hpp"

namespace testbed::driver {

struct Attachment {
  std::string path;
  Fd listener;  // of a server
  std::unique_ptr<Session> session;
  std::unique_ptr<BackendRequests> backend;
  std::unique_ptr<Handshake> handshake;
  uint64_t handshake_ns = 0;  // when it began
  // Of buffers in flight: it belongs to this backend, and outlives the session.
  Fd inflight;
  wire::VhostUserInflight inflight_area{};
};

}  // namespace testbed::driver
