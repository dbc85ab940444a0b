// What an init does before anything else runs, and the system calls nobody else needs. Everything here may
// fail on a machine that is no testbed guest; the caller decides whether that matters.
#pragma once

#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace testbed::guest {

// proc, sys, dev, tmp and run. What is mounted already stays.
Result<void> mount_filesystems();

std::string kernel_release();

// /lib/modules/<release>/<name>.ko
std::string module_path(const std::string& name);
// The modules to insert at boot, in order: the lines of /lib/modules/boot (written by
// testbed/guest/image.py).
Result<std::vector<std::string>> boot_modules();
// A module that is there already is no error.
Result<void> insert_module(const std::string& name);
// Waits for nobody: Errc::system while it is in use. One that is not there is no error.
Result<void> remove_module(const std::string& name);

// Writes to a file of proc or sys, in one write.
Result<void> write_file(const std::string& path, const std::string& text);
// The first line, without its end; "" when the file cannot be read.
std::string read_line(const std::string& path);

// The real system calls: filesystems need no sync, all of them are in memory. They return only when they
// fail.
Result<void> restart_machine();
Result<void> power_off();

}  // namespace testbed::guest
