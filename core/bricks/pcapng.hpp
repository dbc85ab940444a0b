// Writes pcapng (draft-ietf-opsawg-pcapng), little-endian, with nanosecond stamps. A block is in the file
// whole or not at all, also when the disk is full.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"

namespace testbed {

class PcapngWriter {
 public:
  // Creates or empties `path`. Errc::busy: another writer has it open. The stamps given to add() are
  // CLOCK_MONOTONIC; in the file they are wall-clock time, and the section's comment tells the difference.
  static Result<PcapngWriter> open(const std::string& path, const std::vector<std::string>& interfaces,
                                   uint32_t snap_length);

  // Collects one frame's block; flush() writes. `data` holds `captured` <= `original` octets.
  void add(uint32_t interface, uint64_t t_ns, const std::byte* data, uint32_t captured, uint32_t original);
  size_t pending_bytes() const { return pending_.size(); }
  // Writes what was collected, and forgets it either way. On an error the file ends where it ended before.
  Result<void> flush();

 private:
  PcapngWriter(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  void add_section(const std::vector<std::string>& interfaces, uint32_t snap_length);
  void option(uint16_t code, std::string_view value);
  void append(const void* from, size_t size);
  void word(uint32_t value) { append(&value, sizeof value); }
  void pad();
  size_t begin_block(uint32_t type);
  void end_block(size_t start);

  Fd fd_;
  std::string path_;
  std::string head_;  // section and interfaces
  std::string pending_;
  int64_t wall_offset_ns_ = 0;
  off_t written_ = 0;
};

}  // namespace testbed
