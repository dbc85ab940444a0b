#include "tests/support/message_judge.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "vdev/wire/virtio_features.hpp"

namespace testbed::test {
namespace {

using gate::Message;
using wire::Feature;
using wire::Request;

constexpr uint64_t kPage = 4096;

// [from, from + length) ends at `end` or before.
bool ends_within(uint64_t from, uint64_t length, uint64_t end) {
  return from <= end && length <= end - from;
}

bool meet(uint64_t a, uint64_t a_length, uint64_t b, uint64_t b_length) {
  return a < b ? b - a < a_length : a - b < b_length;
}

// Those a net device has, of the requests there are.
bool is_for_net(uint32_t request) {
  return request >= 1 && request <= 40 && (request < 22 || request > 38);
}

}  // namespace

std::string MessageJudge::see(const Message& message, std::span<const JudgedFd> fds) {
  if (!is_for_net(message.header.request)) return "no request of a net device";
  if (message.payload.size() != message.header.size) return "a payload of another length than is said";
  if (std::string wrong = judge(message, fds); !wrong.empty()) return wrong;
  if (std::string wrong = running_rings(); !wrong.empty()) return wrong;
  return log_covers();
}

std::string MessageJudge::judge(const Message& message, std::span<const JudgedFd> fds) {
  switch (message.request()) {
    case Request::SET_FEATURES:
      return set_features(*message.as<uint64_t>());
    case Request::SET_MEM_TABLE:
      return set_table(message, fds);
    case Request::SET_LOG_BASE:
      return set_log(*message.as<wire::Log>(), fds);
    case Request::SET_VRING_KICK:
    case Request::SET_VRING_CALL:
    case Request::SET_VRING_ERR:
      return notifier(message, fds);
    case Request::SET_VRING_NUM:
    case Request::SET_VRING_ADDR:
    case Request::SET_VRING_BASE:
    case Request::GET_VRING_BASE:
    case Request::SET_VRING_ENABLE:
      return about_ring(message);
    default:
      return "";
  }
}

std::string MessageJudge::set_features(uint64_t features) {
  if ((features & ~offered_) != 0) return "features that were not offered";
  const bool running =
      std::any_of(rings_.begin(), rings_.end(), [](const Ring& ring) { return ring.runs(); });
  if (running && ((features ^ features_) & ~bit(Feature::LOG_ALL)) != 0) return "other features under a ring";
  features_ = features;
  // A back-end frees what it has beyond the first pair.
  if (!has(bit(Feature::NET_MQ)))
    for (size_t i = 2; i < rings_.size(); ++i) rings_[i] = {};
  return "";
}

std::string MessageJudge::set_table(const Message& message, std::span<const JudgedFd> fds) {
  wire::MemoryTable table{};
  std::memcpy(&table, message.payload.data(), std::min(message.payload.size(), sizeof table));
  if (table.count < 1 || table.count > 8 || table.count != fds.size()) return "a table of no such length";
  memory_.clear();
  last_page_ = 0;
  for (uint32_t i = 0; i < table.count; ++i) {
    const wire::MemoryRegion& region = table.regions[i];
    if (region.size == 0) return "an empty region";
    if (!fds[i].file || !ends_within(region.mmap_offset, region.size, fds[i].size))
      return "a region that lies not in its file";
    if (!ends_within(region.user_address, region.size, ~uint64_t{0}) ||
        !ends_within(region.guest_address, region.size, ~uint64_t{0}))
      return "a region that wraps around";
    for (uint32_t j = 0; j < i; ++j) {
      const wire::MemoryRegion& other = table.regions[j];
      if (meet(region.user_address, region.size, other.user_address, other.size) ||
          meet(region.guest_address, region.size, other.guest_address, other.size))
        return "regions that overlap";
    }
    memory_.push_back({region.user_address, region.size});
    last_page_ = std::max(last_page_, (region.guest_address + region.size - 1) / kPage);
  }
  return "";
}

std::string MessageJudge::set_log(const wire::Log& log, std::span<const JudgedFd> fds) {
  if (fds.size() != 1 || !fds[0].file) return "a log in no file";
  if (log.size == 0 || !ends_within(log.offset, log.size, fds[0].size))
    return "a log that lies not in its file";
  if (log.offset % kPage != 0) return "a log that cannot be mapped";
  log_size_ = log.size;
  return "";
}

std::string MessageJudge::notifier(const Message& message, std::span<const JudgedFd> fds) {
  const uint64_t value = *message.as<uint64_t>();
  if ((value & 0xff) >= rings_.size()) return "a virtqueue there is not";
  if (fds.size() != ((value & 0x100) != 0 ? 0u : 1u)) return "not as many notifiers as are said";
  if (!fds.empty() && !fds[0].notifier) return "a notifier that may hold who notifies";
  if (!message.is(Request::SET_VRING_KICK)) return "";
  if ((value & 0xff) >= 2 && !has(bit(Feature::NET_MQ))) return "a second pair without NET_MQ";
  rings_[value & 0xff].kicked = true;
  return "";
}

std::string MessageJudge::about_ring(const Message& message) {
  const auto state = *message.as<wire::VringState>();
  if (state.index >= rings_.size()) return "a virtqueue there is not";
  Ring& ring = rings_[state.index];
  switch (message.request()) {
    case Request::SET_VRING_NUM:
      if (state.num < 1 || state.num > 32768) return "a size no ring has";
      if (ring.runs() && ring.size != state.num) return "another size for a ring that runs";
      ring.size = state.num;
      return "";
    case Request::SET_VRING_ADDR: {
      const auto at = *message.as<wire::VringAddr>();
      if (ring.runs() && (at.descriptor != ring.at->descriptor || at.used != ring.at->used ||
                          at.available != ring.at->available))
        return "another place for a ring that runs";
      ring.at = at;
      return "";
    }
    case Request::SET_VRING_BASE:
      ring.base = state.num;
      return "";
    case Request::GET_VRING_BASE:
      ring.kicked = false;
      ring.base.reset();
      return "";
    default:
      return state.num > 1 ? "neither enabled nor disabled" : "";
  }
}

// Virtio 1.2, 2.7 and 2.8: the three parts of a ring, their sizes and alignments.
std::string MessageJudge::places(const Ring& ring) const {
  const bool packed = has(bit(Feature::RING_PACKED));
  if (!packed && (ring.size & (ring.size - 1)) != 0) return "a split ring whose size is no power of two";
  if (ring.base && !packed && *ring.base > 0xffff) return "a position beyond an index";
  if (ring.base && packed && (*ring.base & 0x7fff) >= ring.size) return "a position beyond a ring";
  const uint64_t event = has(bit(Feature::RING_EVENT_IDX)) ? 2 : 0;
  const std::array<Place, 3> parts = {Place{ring.at->descriptor, 16 * ring.size},
                                      Place{ring.at->available, packed ? 4 : 4 + 2 * ring.size + event},
                                      Place{ring.at->used, packed ? 4 : 4 + 8 * ring.size + event}};
  if (ring.at->descriptor % 16 != 0 || ring.at->available % (packed ? 4 : 2) != 0 || ring.at->used % 4 != 0)
    return "a ring that is not aligned";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!lies_in_memory(parts[i])) return "a ring outside of memory";
    for (size_t j = 0; j < i; ++j)
      if (meet(parts[i].from, parts[i].size, parts[j].from, parts[j].size)) return "a ring in itself";
  }
  return "";
}

std::string MessageJudge::running_rings() const {
  for (const Ring& ring : rings_)
    if (ring.runs())
      if (std::string wrong = places(ring); !wrong.empty()) return wrong;
  return "";
}

std::string MessageJudge::log_covers() const {
  if (!log_size_ || memory_.empty() || !has(bit(Feature::LOG_ALL))) return "";
  return last_page_ / 8 < *log_size_ ? "" : "pages that have no bit in the log";
}

bool MessageJudge::lies_in_memory(const Place& place) const {
  return std::any_of(memory_.begin(), memory_.end(), [&](const Place& region) {
    return place.from >= region.from && ends_within(place.from - region.from, place.size, region.size);
  });
}

}  // namespace testbed::test
