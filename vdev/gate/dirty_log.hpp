// The front-end's dirty log, mapped by the gate for what the switch itself writes into guest memory beside
// the library. Immutable once mapped, and shared: who holds it may mark pages while the front-end exchanges
// it for another.
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/result.hpp"
#include "vdev/wire/vhost_user.hpp"

namespace testbed::gate {

class DirtyLog {
 public:
  // `where` lies in the file and begins at a page (rules/log_rules.hpp).
  static Result<std::shared_ptr<const DirtyLog>> map(int file, const wire::Log& where);
  ~DirtyLog();
  DirtyLog(const DirtyLog&) = delete;
  DirtyLog& operator=(const DirtyLog&) = delete;

  // Any thread. Sets the bits of the pages of [gpa, gpa + length), length > 0, as far as the log has them.
  void mark(uint64_t gpa, uint64_t length) const;

 private:
  DirtyLog(void* bits, uint64_t size) : bits_(static_cast<uint8_t*>(bits)), size_(size) {}

  uint8_t* bits_;
  uint64_t size_;
};

}  // namespace testbed::gate
