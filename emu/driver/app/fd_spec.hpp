// Descriptors by description, for messages that carry the wrong ones.
#pragma once

#include <map>
#include <string>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"

namespace testbed::driver {

// "memfd 8192", "readonly 8192" (a memfd opened for reading), "eventfd", "full eventfd" (a write to it would
// block), "pipe" (its writing end, whose reader is gone), "socket" (whose peer is gone), "null", "directory".
// With " as NAME" it is kept in `named` and NAME means the same one from then on. Errc::invalid_argument:
// none of these.
Result<Fd> make_fd(const std::string& description, std::map<std::string, Fd>& named);

}  // namespace testbed::driver
