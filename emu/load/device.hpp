// virtio_user devices coming and going in a running EAL, in spite of two habits of the driver (22.11): in the
// server role it waits in accept() for its backend inside the probe, and a handshake that fails leaves its
// sockets open.
#pragma once

#include <string>

#include "core/base/result.hpp"
#include "emu/load/frontend_options.hpp"

namespace testbed::load {

// For a server: removes a socket file nobody serves any more. Errc::busy: a live process does.
Result<void> clear_path(const std::string& path);

// Adds the device `name`. Blocks: in the server role until a backend connects, then for the handshake.
// Several may block at once. After a failure nothing of the device is left. Errc::busy: a live process serves
// the path. Errc::disconnected: there is no backend (any more).
Result<void> add_device(const std::string& name, const std::string& arguments,
                        const FrontendOptions& options);
void remove_device(const std::string& name);

// Makes an add_device() that waits for its backend fail.
void interrupt_device(const FrontendOptions& options);

}  // namespace testbed::load
