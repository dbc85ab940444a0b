#include "emu/proxy/message_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "emu/proxy/descriptor_io.hpp"

namespace testbed::proxy {

MessageReader::Outcome MessageReader::read(int socket, Message& out) {
  while (!whole()) {
    auto& bytes = current_.bytes;
    const size_t have = bytes.size();
    bytes.resize(have + std::min<uint64_t>(missing_, kMaxHeld - have));
    Received received = receive(socket, std::span(bytes).subspan(have));
    bytes.resize(have + static_cast<size_t>(std::max<ssize_t>(received.bytes, 0)));
    if (received.bytes == -EAGAIN) return Outcome::again;
    if (received.bytes <= 0) {  // the end, or a reset: there is nothing more in either case
      if (bytes.empty()) return Outcome::closed;
      if (current_.piece == Piece::message) current_.piece = Piece::fragment;
      out = std::exchange(current_, {});
      return Outcome::piece;
    }
    if (!received.fds.empty()) current_.attachments.push_back({have, std::move(received.fds)});
    current_.descriptors_lost |= received.descriptors_lost;
    count(static_cast<size_t>(received.bytes));
  }
  out = take();
  return Outcome::piece;
}

void MessageReader::count(size_t bytes) {
  missing_ -= bytes;
  if (missing_ != 0 || !in_header_) return;
  in_header_ = false;
  missing_ = current_.header().size;
}

bool MessageReader::whole() const {
  return !in_header_ && (missing_ == 0 || current_.bytes.size() == kMaxHeld);
}

Message MessageReader::take() {
  Message piece = std::exchange(current_, {});
  if (missing_ != 0) {
    current_.piece = Piece::continuation;
  } else {
    missing_ = kHeaderSize;
    in_header_ = true;
  }
  return piece;
}

}  // namespace testbed::proxy
