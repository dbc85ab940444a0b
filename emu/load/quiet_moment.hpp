// Runs something when the driver's interrupt handling is certainly at rest.
//
// The virtio_user driver follows its socket from EAL's interrupt thread, and puts off half of that to alarms,
// which run there as well. A device that is closed between the two takes the process with it: EAL panics over
// a descriptor that is closed but still listened to, or the alarm finds the device's memory gone.
#pragma once

#include <functional>

namespace testbed::load {

// Returns when `work` has run, on EAL's interrupt thread, with no alarm of the driver outstanding. Not to be
// called there.
void at_quiet_moment(const std::function<void()>& work);

}  // namespace testbed::load
