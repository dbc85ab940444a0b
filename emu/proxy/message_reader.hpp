// Cuts a byte stream into vhost-user messages without ever reading across the end of one, so that descriptors
// are always found with the message they were sent with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "emu/proxy/message.hpp"

namespace testbed::proxy {

class MessageReader {
 public:
  // A header may announce 4 GiB. What is longer than this is passed on in parts of this size instead of being
  // collected.
  static constexpr size_t kMaxHeld = 64 * 1024;

  enum class Outcome { piece, again, closed };

  // Reads until a piece is whole (then it is in `out`), or nothing more is there, or the sender has closed. A
  // fragment is given out before `closed`.
  Outcome read(int socket, Message& out);

 private:
  void count(size_t bytes);
  bool whole() const;
  Message take();

  Message current_;
  uint64_t missing_ = kHeaderSize;  // bytes up to the end of the header, then of the message
  bool in_header_ = true;
};

}  // namespace testbed::proxy
