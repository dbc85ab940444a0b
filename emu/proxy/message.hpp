// What comes off one side of a leg: bytes as they were sent, and the descriptors with the place they were
// attached to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/base/fd.hpp"
#include "vdev/wire/vhost_user.hpp"

namespace testbed::proxy {

// The two connections of a session: the front-end is at the front, the back-end at the back.
enum class Side : uint8_t { front, back };

constexpr Side other(Side side) {
  return side == Side::front ? Side::back : Side::front;
}
constexpr std::string_view side_name(Side side) {
  return side == Side::front ? "front" : "back";
}
// A message's `dir` is its sender, in the words of the switch's session.message.
constexpr std::string_view dir_of(Side from) {
  return from == Side::front ? "frontend" : "backend";
}

inline constexpr size_t kHeaderSize = sizeof(wire::VhostUserHeader);

// Descriptors, and the byte of the message they travelled with: nearly always the first. The proxy keeps the
// place, because back-ends differ in whether they look for descriptors behind it.
struct Attachment {
  size_t offset;
  std::vector<Fd> fds;
};

enum class Piece : uint8_t {
  message,       // header and payload; of a message too large to be held whole, its beginning
  continuation,  // the next part of such a message
  fragment,      // what had come of a message when its sender closed
};

struct Message {
  Piece piece = Piece::message;
  std::vector<std::byte> bytes;
  std::vector<Attachment> attachments;
  bool descriptors_lost = false;  // the kernel could not give us all of them (our limit of open files)

  // Piece::message only: at least the header is there.
  wire::VhostUserHeader header() const {
    wire::VhostUserHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    return header;
  }
  size_t fd_count() const {
    size_t count = 0;
    for (const Attachment& attachment : attachments) count += attachment.fds.size();
    return count;
  }
};

}  // namespace testbed::proxy
