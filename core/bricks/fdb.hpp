// The forwarding database of a learning switch: which member a MAC address was last seen at.
//
// A hash table of buckets; a bucket is one cache line of eight words, a word one entry: 48 bits of MAC, 15 of
// member, one that says static. An address has two buckets it may stand in, so a look-up reads at most two
// lines. All workers read and write without locks: a word changes by compare-and-swap, and whoever inserts
// looks once more for a twin that another worker inserted at the same moment; of twins the first in a fixed
// order stays. When each sees its own insertion before its second look (sequential consistency), at least one
// of two sees the other.
//
// When an address was last seen stands apart, in seconds, and is written only when the second changed: a
// steady flow dirties one shared line a second, not one a packet.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/graph/brick.hpp"

namespace testbed {

// A MAC address as the integer its octets make in memory: the first octet is the lowest.
using Mac = uint64_t;
inline constexpr Mac kMacMask = 0xffff'ffff'ffff;
inline constexpr Mac kMulticastBit = 1;

std::string to_string_mac(Mac mac);
// "02:00:00:00:00:01"
Result<Mac> parse_mac(const std::string& text);

class Fdb {
 public:
  static constexpr size_t kMinCapacity = 16, kMaxCapacity = 1u << 20;
  static constexpr Member kMaxMember = 0x7fff;

  // `capacity` in entries, rounded up to a power of two. `key` makes the places of addresses unpredictable
  // for guests.
  Fdb(size_t capacity, uint64_t key);

  size_t capacity() const { return buckets_ * kWays; }

  // -- Hot: any worker, several at a time.
  void prefetch(Mac mac) const { __builtin_prefetch(&words_[first_bucket(mac)]); }

  // kNoMember: unknown.
  Member lookup(Mac mac) const {
    const size_t first = first_bucket(mac);
    for (const size_t bucket : {first, second_bucket(first, mac)}) {
      for (const auto& slot : words_[bucket].slots) {
        const uint64_t word = slot.load(std::memory_order_relaxed);
        if (mac_of(word) == mac) return word == kEmpty ? kNoMember : member_of(word);  // 0 is no address
      }
    }
    return kNoMember;
  }

  enum class Outcome : uint8_t {
    known,  // nothing new (a static entry elsewhere included: it stays)
    added,
    evicted,  // added in place of the entry of these buckets that was silent for longest
    moved,    // was at Learnt::before
    refused,  // only static entries in its buckets, or another worker was faster
  };
  struct Learnt {
    Outcome outcome;
    Member before = kNoMember;
  };
  // `mac` is neither 0 nor multicast. `now_s` is coarse time.
  Learnt learn(Mac mac, Member member, uint32_t now_s) {
    const uint64_t word = dynamic_word(mac, member);
    const size_t bucket = first_bucket(mac);
    for (size_t way = 0; way < kWays; ++way) {
      if (words_[bucket].slots[way].load(std::memory_order_relaxed) != word) continue;
      refresh(bucket, way, now_s);
      return {Outcome::known};
    }
    return learn_slowly(mac, member, now_s);
  }

  // -- Cold: control thread, while workers run.
  // Stays until removed and wins over whatever is learnt. Errc::exhausted: its buckets are full of static
  // entries.
  Result<void> add_static(Mac mac, Member member);
  void remove_static(Mac mac);
  // Forgets everything at `member`, static or not.
  void flush(Member member);
  // Forgets what was last seen more than `max_age_s` ago. Returns how many that were.
  size_t age(uint32_t now_s, uint32_t max_age_s);

  struct Entry {
    Mac mac;
    Member member;
    bool is_static;
    uint32_t seen_s;
  };
  std::vector<Entry> entries() const;

 private:
  static constexpr size_t kWays = 8;
  static constexpr uint64_t kStaticBit = uint64_t{1} << 63;
  static constexpr uint64_t kEmpty = 0;

  struct alignas(64) Bucket {
    std::array<std::atomic<uint64_t>, kWays> slots;
  };
  struct Place {
    size_t bucket, way;
  };

  static Mac mac_of(uint64_t word) { return word & kMacMask; }
  static Member member_of(uint64_t word) { return static_cast<Member>((word >> 48) & kMaxMember); }
  static uint64_t dynamic_word(Mac mac, Member member) { return mac | static_cast<uint64_t>(member) << 48; }

  uint64_t hash(Mac mac) const { return mac * multiplier_; }
  size_t first_bucket(Mac mac) const { return hash(mac) >> shift_; }
  // Never the first: the lowest bit differs.
  size_t second_bucket(size_t first, Mac mac) const {
    return first ^ (((hash(mac) >> 16) & (buckets_ - 1)) | 1);
  }

  void refresh(size_t bucket, size_t way, uint32_t now_s) {
    auto& seen = seen_[bucket * kWays + way];
    if (seen.load(std::memory_order_relaxed) != now_s) seen.store(now_s, std::memory_order_relaxed);
  }
  std::atomic<uint64_t>& at(Place place) { return words_[place.bucket].slots[place.way]; }
  Learnt learn_slowly(Mac mac, Member member, uint32_t now_s);
  bool replace(Place place, uint64_t expected, uint64_t word, uint32_t now_s);
  void remove_twins(Mac mac);
  // The 16 places where `mac` may stand, in the order that decides between twins.
  std::array<Place, 2 * kWays> places(Mac mac) const;

  size_t buckets_;
  unsigned shift_;
  uint64_t multiplier_;
  std::unique_ptr<Bucket[]> words_;                // dataplane: rw, control: rw
  std::unique_ptr<std::atomic<uint32_t>[]> seen_;  // dataplane: rw, control: ro
};

}  // namespace testbed
