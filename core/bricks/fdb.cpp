#include "core/bricks/fdb.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdio>

namespace testbed {

std::string to_string_mac(Mac mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", static_cast<unsigned>(mac & 0xff),
                static_cast<unsigned>(mac >> 8 & 0xff), static_cast<unsigned>(mac >> 16 & 0xff),
                static_cast<unsigned>(mac >> 24 & 0xff), static_cast<unsigned>(mac >> 32 & 0xff),
                static_cast<unsigned>(mac >> 40 & 0xff));
  return text;
}

Result<Mac> parse_mac(const std::string& text) {
  constexpr size_t kOctets = 6;
  bool good = text.size() == 3 * kOctets - 1;
  Mac mac = 0;
  for (size_t i = 0; good && i < kOctets; ++i) {
    const char* digits = text.data() + 3 * i;
    unsigned octet = 0;
    good = std::from_chars(digits, digits + 2, octet, 16).ptr == digits + 2 &&
           (i == kOctets - 1 || digits[2] == ':');
    mac |= static_cast<Mac>(octet) << (8 * i);
  }
  if (!good)
    return fail(Errc::invalid_argument, "'" + text + "' is not a MAC address like 02:00:00:00:00:01");
  return mac;
}

Fdb::Fdb(size_t capacity, uint64_t key)
    : buckets_(std::bit_ceil(std::clamp(capacity, kMinCapacity, kMaxCapacity)) / kWays),
      shift_(64 - static_cast<unsigned>(std::countr_zero(buckets_))),
      multiplier_(key | 1),
      words_(std::make_unique<Bucket[]>(buckets_)),
      seen_(std::make_unique<std::atomic<uint32_t>[]>(buckets_ * kWays)) {
}

std::array<Fdb::Place, 2 * Fdb::kWays> Fdb::places(Mac mac) const {
  std::array<Place, 2 * kWays> all;
  const size_t first = first_bucket(mac), second = second_bucket(first, mac);
  for (size_t way = 0; way < kWays; ++way) {
    all[way] = {first, way};
    all[kWays + way] = {second, way};
  }
  return all;
}

// The time is written first: an entry must not look old, and age, between the two stores.
bool Fdb::replace(Place place, uint64_t expected, uint64_t word, uint32_t now_s) {
  seen_[place.bucket * kWays + place.way].store(now_s, std::memory_order_relaxed);
  return at(place).compare_exchange_strong(expected, word);
}

Fdb::Learnt Fdb::learn_slowly(Mac mac, Member member, uint32_t now_s) {
  const uint64_t word = dynamic_word(mac, member);
  const auto candidates = places(mac);
  for (const Place place : candidates) {
    const uint64_t there = at(place).load();
    if (mac_of(there) != mac) continue;
    if (there & kStaticBit) return {Outcome::known};
    if (there == word) {
      refresh(place.bucket, place.way, now_s);
      return {Outcome::known};
    }
    if (!replace(place, there, word, now_s)) return {Outcome::refused};
    return {Outcome::moved, member_of(there)};
  }
  for (const Place place : candidates) {
    if (at(place).load() != kEmpty || !replace(place, kEmpty, word, now_s)) continue;
    remove_twins(mac);
    return {Outcome::added};
  }
  const Place* oldest = nullptr;
  uint32_t oldest_age = 0;
  for (const Place& place : candidates) {
    if (at(place).load() & kStaticBit) continue;
    const uint32_t silent = now_s - seen_[place.bucket * kWays + place.way].load(std::memory_order_relaxed);
    if (oldest && silent <= oldest_age) continue;
    oldest = &place;
    oldest_age = silent;
  }
  if (!oldest) return {Outcome::refused};
  const uint64_t there = at(*oldest).load();
  if ((there & kStaticBit) || !replace(*oldest, there, word, now_s)) return {Outcome::refused};
  remove_twins(mac);
  return {Outcome::evicted};
}

// Keeps the static one of several entries for `mac`, or else the first.
void Fdb::remove_twins(Mac mac) {
  const auto candidates = places(mac);
  const Place* kept = nullptr;
  uint64_t kept_word = kEmpty;
  for (const Place& place : candidates) {
    uint64_t there = at(place).load();
    if (mac_of(there) != mac) continue;
    if (kept && (kept_word & kStaticBit || !(there & kStaticBit))) {
      at(place).compare_exchange_strong(there, kEmpty);
      continue;
    }
    if (kept) at(*kept).compare_exchange_strong(kept_word, kEmpty);
    kept = &place;
    kept_word = there;
  }
}

Result<void> Fdb::add_static(Mac mac, Member member) {
  const uint64_t word = dynamic_word(mac, member) | kStaticBit;
  const auto candidates = places(mac);
  const auto put = [&](auto wanted) {
    for (const Place place : candidates) {
      uint64_t there = at(place).load();
      if (wanted(there) && at(place).compare_exchange_strong(there, word)) return true;
    }
    return false;
  };
  if (!put([&](uint64_t there) { return mac_of(there) == mac; }) &&
      !put([](uint64_t there) { return there == kEmpty; }) &&
      !put([](uint64_t there) { return !(there & kStaticBit); }))
    return fail(Errc::exhausted,
                "no room for the static entry " + to_string_mac(mac) + "; raise the capacity");
  remove_twins(mac);
  return {};
}

void Fdb::remove_static(Mac mac) {
  for (const Place place : places(mac)) {
    uint64_t there = at(place).load();
    if (mac_of(there) == mac && (there & kStaticBit)) at(place).compare_exchange_strong(there, kEmpty);
  }
}

void Fdb::flush(Member member) {
  for (size_t bucket = 0; bucket < buckets_; ++bucket) {
    for (auto& slot : words_[bucket].slots) {
      uint64_t there = slot.load();
      if (there != kEmpty && member_of(there) == member) slot.compare_exchange_strong(there, kEmpty);
    }
  }
}

size_t Fdb::age(uint32_t now_s, uint32_t max_age_s) {
  size_t aged = 0;
  for (size_t bucket = 0; bucket < buckets_; ++bucket) {
    for (size_t way = 0; way < kWays; ++way) {
      auto& slot = words_[bucket].slots[way];
      uint64_t there = slot.load(std::memory_order_relaxed);
      if (there == kEmpty || (there & kStaticBit)) continue;
      // Workers' clocks may be ahead of ours by a second: signed.
      const auto silent =
          static_cast<int32_t>(now_s - seen_[bucket * kWays + way].load(std::memory_order_relaxed));
      if (silent > static_cast<int32_t>(max_age_s))
        aged += slot.compare_exchange_strong(there, kEmpty) ? 1 : 0;
    }
  }
  return aged;
}

std::vector<Fdb::Entry> Fdb::entries() const {
  std::vector<Entry> all;
  for (size_t bucket = 0; bucket < buckets_; ++bucket) {
    for (size_t way = 0; way < kWays; ++way) {
      const uint64_t word = words_[bucket].slots[way].load(std::memory_order_relaxed);
      if (word != kEmpty)
        all.push_back({mac_of(word), member_of(word), (word & kStaticBit) != 0,
                       seen_[bucket * kWays + way].load(std::memory_order_relaxed)});
    }
  }
  return all;
}

}  // namespace testbed
