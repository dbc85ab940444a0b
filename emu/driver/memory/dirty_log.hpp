// The bitmap in which a backend marks the pages it wrote (vhost-user, "Migration"): bit p % 8 of octet p / 8
// is page p of guest-physical memory, from an offset of a file on.
#pragma once

#include <cstdint>
#include <vector>

#include "emu/driver/memory/guest_memory.hpp"

namespace testbed::driver {

class DirtyLog {
 public:
  // Covers guest-physical addresses below `top`; `offset` is in octets, a multiple of 8. `least` octets at
  // least.
  static Result<DirtyLog> create(uint64_t top, uint64_t offset, uint64_t least = 0);

  int fd() const { return fd_.get(); }
  uint64_t size() const { return size_; }  // of the bitmap
  uint64_t offset() const { return offset_; }

  // The pages marked since the last take(), ascending. Each word is exchanged for zero in one step, so that a
  // mark made at the same time is seen now or next time, never lost.
  std::vector<uint64_t> take();
  // The same without clearing.
  std::vector<uint64_t> peek() const;
  // Whether somebody wrote outside the bitmap: before its offset or behind its end.
  bool strayed() const;

 private:
  static constexpr uint64_t kGuard = kPage;  // behind the bitmap, watched by strayed()

  DirtyLog(Fd fd, Mapping map, uint64_t size, uint64_t offset)
      : fd_(std::move(fd)), map_(std::move(map)), size_(size), offset_(offset) {}
  uint64_t* words() const { return reinterpret_cast<uint64_t*>(map_.base() + offset_); }

  Fd fd_;
  Mapping map_;
  uint64_t size_ = 0, offset_ = 0;
};

}  // namespace testbed::driver
