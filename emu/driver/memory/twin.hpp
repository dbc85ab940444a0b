// The memory of the host a guest moves to: as large as the source's, filled page by page, compared with it,
// and put in its place. Pages are counted by their offset in the memory's file.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emu/driver/memory/guest_memory.hpp"

namespace testbed::driver {

class Twin {
 public:
  // `file` empty: a memfd. Else a file made anew. `source` outlives the twin.
  static Result<Twin> create(const GuestMemory& source, const MemorySpec& spec);

  // Every page of the source that may hold anything; the rest reads as zero in both.
  std::vector<uint64_t> populated() const;
  // The pages of a dirty log, which counts guest-physical ones. What lies in no region is left out.
  std::vector<uint64_t> from_guest(std::span<const uint64_t> guest_pages) const;
  // The pages that hold these guest-physical octets.
  std::vector<uint64_t> holding(std::span<const ByteRange> ranges) const;
  int fd() const { return memory_.fd(); }

  // What is copied of these pages from now on is kept in a third place as well, which nobody else knows: it
  // tells what arrived, also when somebody writes to the twin already.
  Result<void> keep(std::span<const uint64_t> pages);
  void copy(std::span<const uint64_t> pages);
  // Of these pages, those in which source and twin differ.
  std::vector<uint64_t> differing(std::span<const uint64_t> pages) const;
  // Those that arrived otherwise than the source has them: what was kept decides, where it was.
  std::vector<uint64_t> arrived_differing(std::span<const uint64_t> pages) const;
  // Guest-physical address of a page.
  uint64_t guest_address(uint64_t page) const;

  // The twin's file takes the place of the source's, at the same addresses in this process; and, called
  // again, back.
  void exchange(GuestMemory& source) {
    source.exchange(memory_);
    exchanged_ = !exchanged_;
  }

 private:
  Twin(const GuestMemory& source, GuestMemory memory) : source_(source), memory_(std::move(memory)) {}

  // Which of the two holds the file the guest came with.
  const GuestMemory& original() const { return exchanged_ ? memory_ : source_; }

  const GuestMemory& source_;
  GuestMemory memory_;
  bool exchanged_ = false;
  Mapping kept_;
  std::vector<bool> keeps_;  // by page; empty: none
};

}  // namespace testbed::driver
