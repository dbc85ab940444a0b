#include "vdev/gate/dirty_log.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>

namespace testbed::gate {
namespace {

constexpr uint64_t kPage = 4096;

}  // namespace

Result<std::shared_ptr<const DirtyLog>> DirtyLog::map(int file, const wire::Log& where) {
  void* bits =
      ::mmap(nullptr, where.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, static_cast<off_t>(where.offset));
  if (bits == MAP_FAILED) return fail_errno("cannot map the dirty log", errno);
  return std::shared_ptr<const DirtyLog>(new DirtyLog(bits, where.size));
}

DirtyLog::~DirtyLog() {
  ::munmap(bits_, size_);
}

void DirtyLog::mark(uint64_t gpa, uint64_t length) const {
  for (uint64_t page = gpa / kPage; page <= (gpa + length - 1) / kPage && page / 8 < size_; ++page)
    std::atomic_ref(bits_[page / 8]).fetch_or(static_cast<uint8_t>(1 << page % 8));
}

}  // namespace testbed::gate
