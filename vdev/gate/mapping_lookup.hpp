// Which mapping an address lies in, from /proc/self/maps. Async-signal-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "vdev/gate/fd_facts.hpp"

namespace testbed::gate {

struct Mapping {
  uintptr_t begin, end;
  uint64_t offset;  // of `begin` in the file
  FileId file;      // inode 0: no file
};

// nullopt: none, or /proc cannot be read.
std::optional<Mapping> find_mapping(uintptr_t address);
// The first mapping of a file.
std::optional<Mapping> find_mapping(FileId file);

}  // namespace testbed::gate
