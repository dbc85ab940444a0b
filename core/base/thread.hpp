// Where threads run.
#pragma once

#include <pthread.h>

#include "core/base/result.hpp"

namespace testbed {

// `thread` runs on that CPU only. Errc::system: there is no such CPU, or this process may not use it.
Result<void> pin_thread(pthread_t thread, unsigned cpu);

}  // namespace testbed
