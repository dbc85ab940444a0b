// The backend's own channel (SET_BACKEND_REQ_FD): reads its requests, acknowledges them, and answers IOTLB
// misses.
#pragma once

#include <optional>

#include "emu/driver/memory/guest_memory.hpp"
#include "emu/driver/session/session.hpp"

namespace testbed::driver {

class BackendRequests {
 public:
  // Both ends of a fresh channel.
  static Result<BackendRequests> create(uint64_t answer_within_ns);

  int backend_end() const { return theirs_.get(); }
  void passed() { theirs_.reset(); }  // the backend has its end: that of ours may close
  int fd() const { return ours_.fd(); }

  // One request: logged in `session`, acknowledged when it asks for that and `answer` says so. Guest memory
  // is mapped for the backend where it is (an IOVA is a guest-physical address), `page` octets at a time or
  // (0) the whole region. Errc::disconnected: the backend closed its end.
  Result<uint32_t> serve(Session& session, const GuestMemory& memory, bool answer, uint64_t page);

 private:
  BackendRequests(Fd ours, Fd theirs, uint64_t answer_within_ns)
      : ours_(std::move(ours)), theirs_(std::move(theirs)), answer_within_ns_(answer_within_ns) {}

  Channel ours_;
  Fd theirs_;
  uint64_t answer_within_ns_;
};

// The answer to a miss at `iova`, and nothing when no region holds it.
std::optional<wire::Iotlb> iotlb_update(const GuestMemory& memory, uint64_t iova, uint8_t permission,
                                        uint64_t page);

}  // namespace testbed::driver
