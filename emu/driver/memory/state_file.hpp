// Memory for what the driver remembers about its rings (ring/ring_state.hpp), apart from guest memory and
// never shown to a backend. In a named file it survives this process.
#pragma once

#include <string>

#include "emu/driver/memory/guest_memory.hpp"

namespace testbed::driver {

// `file` empty: anonymous. A file of another size belongs to another set-up and is emptied.
Result<Mapping> map_state(const std::string& file, size_t size);

}  // namespace testbed::driver
