#include "core/base/thread.hpp"

#include <sched.h>

#include <cerrno>
#include <string>

namespace testbed {

Result<void> pin_thread(pthread_t thread, unsigned cpu) {
  const std::string what = "cannot run a thread on cpu " + std::to_string(cpu);
  if (cpu >= CPU_SETSIZE) return fail_errno(what, EINVAL);
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (const int error = pthread_setaffinity_np(thread, sizeof set, &set); error != 0)
    return fail_errno(what, error);
  return {};
}

}  // namespace testbed
