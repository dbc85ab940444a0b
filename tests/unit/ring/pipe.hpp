// Two guests with our rings between them, as a switch of two ports: frames are taken out of one and put into
// the other. A model of the specification says before every step what both memories will hold after it, octet
// for octet.
#pragma once

#include <boost/test/unit_test.hpp>
#include <deque>
#include <random>

#include "core/graph/keep.hpp"
#include "guest.hpp"
#include "vdev/ring/sink.hpp"

namespace testbed::ring::test {

// A buffer with its driver.
struct Posted {
  uint16_t token;
  uint16_t slots;
  std::vector<driver::Segment> segments;
  uint32_t octets;
  uint64_t end;  // of what it takes of the data area
  Octets frame;  // of a transmit queue
};

// Guest memory for buffers, given out and taken back in one order.
class DataArea {
 public:
  // Guest-physical, in one piece (over regions, perhaps). nullopt: there is no room until something comes
  // back.
  std::optional<uint64_t> take(uint32_t length) {
    const uint64_t at = head_ % Guest::kDataSize;
    const uint64_t skip = at + length > Guest::kDataSize ? Guest::kDataSize - at : 0;
    if (head_ + skip + length - tail_ > Guest::kDataSize) return std::nullopt;
    head_ += skip + length;
    return Guest::kData + (head_ - length) % Guest::kDataSize;
  }
  uint64_t head() const { return head_; }
  void release(uint64_t end) { tail_ = end; }

 private:
  uint64_t head_ = 0, tail_ = 0;
};

// The driver's side of one guest.
class Owner {
 public:
  Owner(Guest& guest, uint64_t seed) : guest_(guest), random_(seed) {}
  // The same driver on another guest that took this one's over.
  Owner(Guest& guest, const Owner& other)
      : guest_(guest), random_(other.random_), area_(other.area_), waiting_(other.waiting_) {}

  size_t pick(size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random_); }
  std::deque<Posted>& waiting() { return waiting_; }
  const std::deque<Posted>& waiting() const { return waiting_; }
  uint64_t returned() const { return returned_; }

  // A chain of `octets` octets in 1 to `most` segments, some of them empty. False: no room.
  bool post(uint32_t octets, size_t most, bool write, const Octets& contents = {});
  // The device gives the next buffer back.
  Posted give_back(uint32_t length);
  // What was given back comes to the driver, in order, exactly once, with the right lengths.
  void reap();
  // Whatever came back since, with its lengths; in order.
  std::vector<std::pair<Posted, uint32_t>> reap_any();

 private:
  Guest& guest_;
  std::mt19937_64 random_;
  DataArea area_;
  std::deque<Posted> waiting_;                          // the device has them
  std::deque<std::pair<Posted, uint32_t>> given_back_;  // with their lengths
  uint64_t returned_ = 0;
};

inline Octets made_frame(size_t length, uint64_t serial) {
  Octets frame(length);
  for (size_t i = 0; i < length; ++i) frame[i] = std::byte(uint8_t((serial * 131 + i * 7 + (i >> 8)) & 0xff));
  return frame;
}

// A frame that lies in memory of this process.
struct Made {
  explicit Made(size_t length)
      : octets(made_frame(length, 3)),
        packet{.head = octets.data(),
               .payload = octets.data(),
               .length = static_cast<uint32_t>(length),
               .head_length = static_cast<uint16_t>(std::min<size_t>(length, kHeadBytes)),
               .kind = PayloadKind::memory,
               .flags = 0} {}
  Octets octets;
  Packet packet;
};

}  // namespace testbed::ring::test
