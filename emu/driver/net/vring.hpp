// What receive and transmit queues have in common: a ring, its buffers, its event descriptors, chains built
// by hand.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "core/base/fd.hpp"
#include "emu/driver/memory/byte_ranges.hpp"
#include "emu/driver/net/net_layout.hpp"
#include "emu/driver/net/stillness.hpp"
#include "emu/driver/ring/ring.hpp"

namespace testbed::driver {

// A chain that was built by hand and came back.
struct RawReturn {
  uint16_t token = 0;
  uint32_t length = 0;
  uint64_t t_ns = 0;
};

// A chain that was built by hand, as it was posted.
struct RawPost {
  uint16_t token = 0;
  uint64_t t_ns = 0;
  std::vector<RawDescriptor> descriptors;
};

class Vring {
 public:
  static constexpr size_t kKeptReturns = 1024;
  static constexpr size_t kKeptLast = 8;  // chains that a report shows

  // `memory`, `layout` and `state` (RingState::bytes) outlive it.
  Vring(const GuestMemory& memory, const VringLayout& layout, uint8_t* state);
  virtual ~Vring() = default;
  Vring(const Vring&) = delete;
  Vring& operator=(const Vring&) = delete;

  const VringLayout& layout() const { return layout_; }
  Ring* ring() const { return ring_.get(); }  // null before the first configure()
  int kick_fd() const { return kick_.get(); }
  int call_fd() const { return call_.get(); }
  int error_fd() const { return error_.get(); }
  // Calls the backend made, and errors it reported, since the start.
  uint64_t calls();
  uint64_t errors();
  uint64_t kicks() const { return kicks_; }
  // Chains that came back and were taken, since the start.
  uint64_t taken() const { return noted_; }
  Stillness& stillness() { return stillness_; }
  const Stillness& stillness() const { return stillness_; }

  // Makes the ring of this format. One that fits already is left as it is; else what a killed driver left is
  // taken over, and only if that is nothing (or `fresh`), the ring starts empty. False when it started empty.
  bool configure(const RingOptions& options, bool fresh);
  void set_polled(bool polled) { polled_ = polled; }  // the backend gets no kick descriptor

  // Errc::exhausted: no room on the ring. The token.
  Result<uint16_t> post_raw(const std::vector<RawDescriptor>& descriptors, const RawOptions& how, bool kick);
  const std::deque<RawReturn>& raw_returns() const { return returns_; }
  // The last chains of all that came back, oldest first, and the last that were posted by hand.
  std::vector<UsedChain> last_returned() const;
  const std::deque<RawPost>& last_raw() const { return posts_; }
  void kick();

  // The ledger: what the device may have written since the last clear_ledger() and gave back; and what it may
  // still write.
  virtual void add_returned(ByteRanges& ranges) const;
  // Of those, the octets the device says it wrote: what a dirty log has to name at least.
  virtual void add_written(ByteRanges& ranges) const;
  virtual void add_posted(ByteRanges& ranges) const;
  virtual void clear_ledger();

 protected:
  void note(const UsedChain& used) { last_[noted_++ % kKeptLast] = used; }
  void note_raw(const UsedChain& used);
  void publish_and_kick();
  uint8_t* slot(uint16_t token) const { return pointers_[token]; }
  virtual void started() {}  // the ring was made

  const GuestMemory& memory_;
  const VringLayout& layout_;
  std::unique_ptr<Ring> ring_;

 private:
  static uint64_t drain(const Fd& fd, uint64_t& sum);

  uint8_t* state_;
  std::vector<uint8_t*> pointers_;  // of the slots
  Fd kick_, call_, error_;
  uint64_t kicks_ = 0, calls_ = 0, errors_ = 0;
  bool polled_ = false;
  std::map<uint16_t, std::vector<Segment>> raw_;  // writable segments of chains built by hand, by token
  std::vector<Segment> raw_returned_, raw_written_;
  std::deque<RawReturn> returns_;
  std::deque<RawPost> posts_;
  Stillness stillness_;
  std::array<UsedChain, kKeptLast> last_{};
  uint64_t noted_ = 0;
};

}  // namespace testbed::driver
