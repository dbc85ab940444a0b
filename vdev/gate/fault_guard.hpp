// What is touched in a mapping behind the end of its file is a SIGBUS, and a peer can make any file of guest
// memory shorter at any time, unless it sealed it (F_SEAL_SHRINK). This guard keeps the process alive: it
// knows the files, and when a page of one of them is not there it puts zeroed memory of our own in place of
// the whole mapping, rings the bells of the sessions that use the file, and lets the thread go on.
//
// Files are known, not addresses: whoever maps them (the library, the gate) needs not say where, nothing is
// to be told before something is unmapped, and a fault between mmap and the next line is met as well. The
// mapping is looked up in /proc/self/maps when a fault occurs.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "vdev/gate/fd_facts.hpp"

namespace testbed::gate {

// The files of one session. Control thread. The first one installs the handler, which hands every SIGBUS that
// is about no known file to the handler that was there before, or to the default action.
class GuardedFiles {
 public:
  // `bell`, an eventfd, becomes readable when a page of a file was missing; it outlives this.
  explicit GuardedFiles(int bell);
  ~GuardedFiles() { keep({}); }
  GuardedFiles(const GuardedFiles&) = delete;
  GuardedFiles& operator=(const GuardedFiles&) = delete;

  // Before anybody maps it. Errc::exhausted: so many files of guests are known already that this one cannot
  // be.
  Result<void> add(FileId file);
  // Forgets all others. When it returns no handler looks at them.
  void keep(std::span<const FileId> files);

 private:
  struct Entry {
    FileId file;
    size_t slot;
  };
  int bell_;
  std::vector<Entry> entries_;
};

}  // namespace testbed::gate
