// What a port remembers beyond the life of the process: the features it offered and those that were
// negotiated, and for each virtqueue a RingRecord. A small file that is mapped: what is stored is there after
// SIGKILL, without a system call.
//
// Garbage, another version or another size is treated as an empty memory, never as an error. The features are
// kept twice, each copy with a generation and a checksum, and the older one is overwritten: a kill inside a
// write leaves the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/fd.hpp"
#include "core/base/result.hpp"
#include "vdev/gate/ring_record.hpp"

namespace testbed::gate {

class PortMemory {
 public:
  struct Features {
    uint64_t offered = 0;
    uint64_t negotiated = 0;
    bool open = false;  // a session lived when this was written
    friend bool operator==(const Features&, const Features&) = default;
  };

  // The file is made if it does not exist; its blocks are allocated at once, so that a full disk is an error
  // here and not a SIGBUS later. Errc::busy: another live process has it open.
  static Result<PortMemory> open(const std::string& path, uint16_t rings);
  // Forgets at exit: for when no file can be had.
  static PortMemory volatile_memory(uint16_t rings);

  PortMemory(PortMemory&& other) noexcept;
  PortMemory& operator=(PortMemory&&) = delete;
  ~PortMemory();

  Features features() const;
  void remember(const Features& features);
  uint16_t rings() const { return rings_; }
  RingRecord& ring(uint16_t index) const;

 private:
  struct Copy;
  struct File;
  PortMemory(Fd file, void* base, uint16_t rings) : file_(std::move(file)), base_(base), rings_(rings) {}
  static size_t bytes(uint16_t rings);
  File& contents() const;
  void initialise();

  Fd file_;
  void* base_;
  uint16_t rings_;
};

// The file of `port` in `directory`; characters that may not stand in a file name are spelt %XX.
std::string port_memory_path(const std::string& directory, const std::string& port);

}  // namespace testbed::gate
