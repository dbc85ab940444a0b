// What a descriptor that came with a message is, as far as the rules ask.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/fd.hpp"

namespace testbed::gate {

struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
};

struct FdFacts {
  enum class Kind : uint8_t { file, eventfd, pipe, socket, directory, device, other };

  Kind kind = Kind::other;
  bool writable = false;      // open for reading and writing, and no seal forbids it
  bool shrinkable = true;     // no F_SEAL_SHRINK
  uint64_t size = 0;          // of a file, now
  uint64_t page_size = 4096;  // of a file: what mappings of it are multiples of
  FileId id;
};
std::string_view to_string(FdFacts::Kind kind);

FdFacts describe_fd(int fd);
std::vector<FdFacts> describe_fds(std::span<const Fd> fds);

}  // namespace testbed::gate
