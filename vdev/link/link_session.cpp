#include "vdev/link/link_session.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "core/graph/keep.hpp"

namespace testbed::link {
namespace {

constexpr size_t kLength = sizeof(uint32_t);
static_assert(std::endian::native == std::endian::little);

uint32_t big_endian(uint32_t value) {
  return __builtin_bswap32(value);
}

}  // namespace

LinkSession::LinkSession(Fd socket) : socket_(std::move(socket)), in_(kBuffer), out_(kBuffer) {
}

void LinkSession::end(const char* reason) {
  reason_.store(reason, std::memory_order_relaxed);
  gone_.store(true, std::memory_order_release);
}

uint32_t LinkSession::frame_at(size_t at) const {
  if (end_ - at < kLength) return 0;
  uint32_t length;
  std::memcpy(&length, in_.data() + at, kLength);
  length = big_endian(length);
  return end_ - at - kLength >= length ? length : 0;
}

void LinkSession::read_more() {
  if (begin_ > 0) {
    std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    parsed_ = begin_ = 0;
  }
  const ssize_t got = ::recv(socket_.get(), in_.data() + end_, in_.size() - end_, MSG_DONTWAIT);
  if (got > 0)
    end_ += static_cast<size_t>(got);
  else if (got == 0)
    end("peer closed");
  else if (errno != EAGAIN && errno != EINTR)
    end("broken");
}

uint16_t LinkSession::receive(Packet* packets) {
  if (gone()) return 0;
  if (!has_frames()) read_more();
  uint16_t count = 0;
  while (count < kBurst && end_ - parsed_ >= kLength) {
    uint32_t announced;
    std::memcpy(&announced, in_.data() + parsed_, kLength);
    if (announced == 0 || big_endian(announced) > kMaxFrame) {
      end("not a frame");
      break;
    }
    const uint32_t length = frame_at(parsed_);
    if (length == 0) break;
    std::byte* frame = in_.data() + parsed_ + kLength;
    packets[count++] = {.head = frame,
                        .payload = frame,
                        .length = length,
                        .head_length = static_cast<uint16_t>(std::min<uint32_t>(length, kHeadBytes)),
                        .kind = PayloadKind::memory,
                        .flags = 0};
    parsed_ += kLength + length;
  }
  return count;
}

uint16_t LinkSession::send(Packet* const* packets, uint16_t count) {
  if (gone() || !flush()) return 0;
  uint16_t taken = 0;
  for (; taken < count; ++taken) {
    const Packet& packet = *packets[taken];
    if (packet.length > kMaxFrame || out_end_ + kLength + packet.length > out_.size()) break;
    const uint32_t length = big_endian(packet.length);
    std::memcpy(out_.data() + out_end_, &length, kLength);
    copy_frame(packet, out_.data() + out_end_ + kLength, packet.length);
    out_end_ += kLength + packet.length;
  }
  flush();
  return taken;
}

bool LinkSession::flush() {
  if (out_begin_ < out_end_ && !gone()) {
    const ssize_t sent =
        ::send(socket_.get(), out_.data() + out_begin_, out_end_ - out_begin_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
      out_begin_ += static_cast<size_t>(sent);
    else if (errno != EAGAIN && errno != EINTR)
      end(errno == EPIPE || errno == ECONNRESET ? "peer closed" : "broken");
  }
  const bool all = out_begin_ == out_end_;
  if (all) out_begin_ = out_end_ = 0;
  waiting_.store(!all, std::memory_order_relaxed);
  return all;
}

}  // namespace testbed::link
