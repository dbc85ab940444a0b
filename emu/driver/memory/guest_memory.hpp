// The memory of an emulated guest: one file (a memfd, a named file, or a descriptor that was handed to this
// process), of which one or several regions appear at guest-physical addresses of their own. The whole file
// is mapped once, so a region's address in this process (what vhost-user calls a user address) is the base
// plus its offset.
//
// The driver writes guest memory through put() and copy_in() only. While a mirror exists (snapshot()), both
// go there too: the mirror is then what the memory would be if nobody but the driver wrote to it, and
// whatever differs was written by a backend.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"
#include "emu/driver/memory/byte_ranges.hpp"
#include "emu/driver/memory/page_marks.hpp"

namespace testbed::driver {

inline constexpr uint64_t kPage = 4096;  // also the unit of the dirty log

struct Region {
  uint64_t gpa = 0;
  uint64_t size = 0;
  uint64_t offset = 0;  // in the file
  bool operator==(const Region&) const = default;
};

struct MemorySpec {
  std::vector<Region> regions;  // not empty; sizes and offsets in whole pages, guest addresses do not overlap
  std::string file;             // survives this process; empty: a memfd that does not
  int inherited = -1;           // a descriptor this process was started with; it is duplicated
  bool sealed = false;          // memfd only: nobody may shrink or grow it any more
};

// A mapped file that can be moved but not copied.
class Mapping {
 public:
  Mapping() = default;
  Mapping(void* base, size_t size) : base_(static_cast<uint8_t*>(base)), size_(size) {}
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  uint8_t* base() const { return base_; }
  size_t size() const { return size_; }

 private:
  uint8_t* base_ = nullptr;
  size_t size_ = 0;
};

class GuestMemory {
 public:
  // Errc::invalid_argument: the regions; Errc::system: no memory, no such file.
  static Result<GuestMemory> open(const MemorySpec& spec);

  int fd() const { return fd_.get(); }
  const std::vector<Region>& regions() const { return regions_; }
  // One past the highest guest-physical address: what a dirty log has to cover.
  uint64_t top() const;
  uint64_t user_address(const Region& region) const {
    return reinterpret_cast<uint64_t>(map_.base()) + region.offset;
  }
  // 0 when the address is in no region.
  uint64_t user_address(uint64_t gpa) const { return reinterpret_cast<uint64_t>(at(gpa, 1)); }

  // Where [gpa, gpa + length) is mapped; null unless one region holds all of it. Of regions that lie in the
  // file one after the other, each still counts for itself.
  uint8_t* at(uint64_t gpa, uint64_t length) const;

  // Stores a value where the backend may look at the same time.
  template <typename T>
  void put(T* where, T value, std::memory_order order = std::memory_order_relaxed) const {
    std::atomic_ref<T>(*where).store(value, order);
    if (mirror_.base()) std::memcpy(mirrored(where), &value, sizeof value);
    if (marks_) mark(where, sizeof value);
  }
  void copy_in(uint8_t* where, const void* from, size_t length) const {
    std::memcpy(where, from, length);
    if (mirror_.base()) std::memcpy(mirrored(where), from, length);
    if (marks_) mark(where, length);
  }
  // `length` octets at `where` were written by the driver in another way.
  void written(const uint8_t* where, size_t length) const {
    if (mirror_.base()) std::memcpy(mirrored(where), where, length);
    if (marks_) mark(where, length);
  }

  // Whether pages the driver writes are marked. By the thread that writes.
  void watch_writes(bool on) { marks_ = on ? std::make_unique<PageMarks>(map_.size() / kPage) : nullptr; }
  // Pages of the file written since the last call; any thread, while they are marked.
  std::vector<uint64_t> take_written() const { return marks_ ? marks_->take() : std::vector<uint64_t>(); }

  uint8_t* base() const { return map_.base(); }
  uint64_t size() const { return map_.size(); }
  // Where in the file a guest-physical address lies.
  std::optional<uint64_t> file_offset(uint64_t gpa) const;

  // The two swap files; each keeps its addresses in this process. They are equally long. Nobody else may look
  // at either meanwhile: for a moment nothing is there.
  void exchange(GuestMemory& other);

  // The parts of the file that have pages, by offset. The rest is holes: looking at those through the mapping
  // would fill them.
  std::vector<ByteRange> touched() const;

  // Makes the mirror equal to the memory as it is now. Pages that were never touched cost nothing.
  Result<void> snapshot();
  bool has_snapshot() const { return mirror_.base() != nullptr; }
  // The bytes at a guest address as they were at the snapshot, or as the driver left them since. Null as
  // at().
  const uint8_t* before(uint64_t gpa, uint64_t length) const;

 private:
  GuestMemory(Fd fd, Mapping map, std::vector<Region> regions)
      : fd_(std::move(fd)), map_(std::move(map)), regions_(std::move(regions)) {}

  uint8_t* mirrored(const void* where) const {
    return mirror_.base() + (static_cast<const uint8_t*>(where) - map_.base());
  }

  void mark(const void* where, size_t length) const {
    const auto first = static_cast<uint64_t>(static_cast<const uint8_t*>(where) - map_.base());
    marks_->mark(first / kPage, (first + length - 1) / kPage);
  }

  Fd fd_;
  Mapping map_;
  Mapping mirror_;
  std::unique_ptr<PageMarks> marks_;
  std::vector<Region> regions_;
};

// Every page that holds none of `used` gets octets of its own, as in a guest that has run for a while.
void fill_unused(const GuestMemory& memory, std::span<const ByteRange> used);

}  // namespace testbed::driver
