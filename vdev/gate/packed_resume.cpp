#include "vdev/gate/packed_resume.hpp"

#include <algorithm>

#include "vdev/gate/packed_circle.hpp"
#include "vdev/gate/packed_strays.hpp"

namespace testbed::gate {
namespace {

using wire::kDescNext;
using wire::kDescWrite;
using wire::kPackedAvail;
using wire::kPackedUsed;

// How far behind the last buffer given back an unfinished burst may have left gaps: the library's largest,
// and its chains.
constexpr uint32_t kGapSearch = 64;

DescWord used_word(bool lap, uint16_t id, uint32_t length) {
  uint16_t flags = lap ? kPackedAvail | kPackedUsed : 0;
  if (length > 0) flags |= kDescWrite;
  return {length, id, flags};
}

class Finder {
 public:
  explicit Finder(const RingFacts& facts) : facts_(facts), ring_(facts.ring) {}

  ResumePoint find() {
    const auto driver = facts_.ring.empty() ? std::nullopt : ring_.driver();
    if (!driver || !served()) return {facts_.base, ResumeSource::frontend, {}, {}};
    driver_ = *driver;
    find_last_given_back();
    if (facts_.remembered) {
      const auto spot = ring_.spot_of(facts_.remembered->position);
      if (spot && facts_.remembered->undo.empty() && (plausible(*spot) || waits_at(*spot)))
        return take_back(at(*spot, ResumeSource::remembered));
      if (spot && !facts_.remembered->undo.empty() && undo_matches(*spot))
        return take_back(finish_burst(*spot));
    }
    if (const auto spot = ring_.spot_of(facts_.base); spot && plausible(*spot))
      return at(*spot, ResumeSource::frontend);
    return from_ring();
  }

 private:
  bool served() const {
    if (facts_.device_area_written) return true;
    return std::any_of(facts_.ring.begin(), facts_.ring.end(),
                       [](DescWord w) { return w.flags & kPackedUsed; });
  }

  ResumePoint at(uint32_t spot, ResumeSource source) const { return {ring_.position(spot), source, {}, {}}; }

  // `waiting_`: slots before the driver's position that look available, up to the last buffer given back.
  void find_last_given_back() {
    while (waiting_ < ring_.size() && !given_back(ring_.word(ring_.behind(driver_, waiting_ + 1))))
      ++waiting_;
  }
  bool any_given_back() const { return waiting_ < ring_.size(); }
  uint32_t after_last_head() const { return ring_.behind(driver_, waiting_); }

  // May the device have stopped here, between bursts? Nothing after it was given back, and the slots between
  // the last buffer given back and here are the rest of that buffer.
  bool plausible(uint32_t spot) const {
    const uint32_t outstanding = ring_.distance(spot, driver_);
    if (outstanding > waiting_) return false;
    const uint32_t rest = waiting_ - outstanding;
    if (rest == 0) return true;
    const DescWord last = ring_.word(ring_.behind(spot, 1));
    if (last.flags & kDescNext) return false;
    if (any_given_back() && last.id != ring_.word(ring_.behind(driver_, waiting_ + 1)).id) return false;
    if (facts_.in_order) return true;
    for (uint32_t i = 0; i + 1 < rest; ++i)
      if (!(ring_.word(ring_.ahead(after_last_head(), i)).flags & kDescNext)) return false;
    return true;
  }

  // Did the device stop here, whatever was given back further on? The slot is available, and the one before
  // it was given back or ends the chain of one that was: in a ring made anew neither would be so.
  bool waits_at(uint32_t spot) const {
    const uint32_t outstanding = ring_.distance(spot, driver_);
    if (outstanding == 0 || outstanding > ring_.size() || !available(spot)) return false;
    for (uint32_t k = 1; k < ring_.size(); ++k) {
      const uint32_t before = ring_.behind(spot, k);
      const DescWord word = ring_.word(before);
      if (lap_of(word) != ring_.lap(before)) return false;
      if (given_back(word)) return true;
      if (k > 1 && !(word.flags & kDescNext)) return false;
    }
    return false;
  }
  bool available(uint32_t spot) const {
    return lap_of(ring_.word(spot)) == ring_.lap(spot) && !given_back(ring_.word(spot));
  }

  ResumePoint take_back(ResumePoint point) const {
    if (!facts_.device_writes) take_back_strays(ring_, driver_, point);
    return point;
  }

  // -- With the undo log
  // Slots from the burst's start to the driver's position. Some were available at the start, so none is a
  // whole round.
  uint32_t written(uint32_t start) const {
    const uint32_t distance = ring_.distance(start, driver_);
    return distance == 0 ? 2 * ring_.size() : distance;
  }
  // Slots of the unfinished burst that the driver has filled again already: they went round the ring.
  uint32_t refilled(uint32_t start) const {
    return written(start) > ring_.size() ? written(start) - ring_.size() : 0;
  }

  bool undo_matches(uint32_t start) const {
    const auto undo = facts_.remembered->undo;
    if (undo.size() > ring_.size() || written(start) < undo.size()) return false;
    for (uint32_t k = refilled(start); k < undo.size(); ++k) {
      const uint32_t spot = ring_.ahead(start, k);
      const DescWord now = ring_.word(spot);
      if (lap_of(undo[k]) != ring_.lap(spot) || given_back(undo[k]) || lap_of(now) != ring_.lap(spot))
        return false;
      if (!given_back(now) && now.flags != undo[k].flags) return false;
    }
    return refilled(start) <= undo.size() || !covers();
  }

  struct Buffer {
    uint32_t first, slots;  // slots after the burst's start
    uint16_t id;
    bool given;
  };

  // The buffers from `start` to the driver's position, as they were before the burst.
  std::vector<Buffer> buffers(uint32_t start) const {
    const auto undo = facts_.remembered->undo;
    const auto word_at = [&](uint32_t k) {
      return k < undo.size() ? undo[k] : ring_.word(ring_.ahead(start, k));
    };
    const uint32_t gone = refilled(start);
    const uint32_t limit = std::min(written(start), ring_.size());
    std::vector<Buffer> found;
    for (uint32_t k = 0; k < limit;) {
      const uint32_t slots = chain_length(word_at, k, limit);
      found.push_back(
          {k, slots, word_at(k + slots - 1).id, k < gone || given_back(ring_.word(ring_.ahead(start, k)))});
      k += slots;
    }
    return found;
  }

  // librte_vhost gives back the transmit buffers of an IN_ORDER guest by one used descriptor a burst.
  bool covers() const { return facts_.in_order && !facts_.device_writes; }

  ResumePoint finish_burst(uint32_t start) const {
    std::vector<Buffer> all = buffers(start);
    size_t boundary = all.size();
    if (facts_.remembered->unfinished == Unfinished::whole && !all.empty() && !all.front().given) {
      boundary = 0;
    } else if (facts_.remembered->unfinished != Unfinished::in_parts) {
      while (boundary > 0 && all[boundary - 1].first >= facts_.remembered->undo.size()) --boundary;
    } else if (covers() && refilled(start) > 0) {
      // The used descriptor that said how far is gone, the driver was through with it. No further than the
      // log goes.
      while (boundary > 0 && all[boundary - 1].first >= facts_.remembered->undo.size()) --boundary;
    } else {
      if (covers()) mark_covered(start, all);
      // What lies beyond the log was not given back by this burst.
      while (boundary > 0 &&
             (!all[boundary - 1].given || all[boundary - 1].first >= facts_.remembered->undo.size()))
        --boundary;
    }
    const uint32_t done = boundary == 0 ? 0 : all[boundary - 1].first + all[boundary - 1].slots;
    ResumePoint point = at(ring_.ahead(start, done), ResumeSource::remembered);
    for (size_t i = 0; i < boundary; ++i)
      if (!all[i].given) commit(start, all[i], point);
    restore(start, done, point);
    return point;
  }

  // That descriptor carries the id of the last buffer it covers.
  void mark_covered(uint32_t start, std::vector<Buffer>& all) const {
    if (all.empty() || !all.front().given) return;
    const uint16_t id = ring_.word(start).id;
    const auto last = std::find_if(all.begin(), all.end(), [&](const Buffer& b) { return b.id == id; });
    if (last == all.end()) return;
    for (auto b = all.begin(); b <= last; ++b) b->given = true;
  }

  void commit(uint32_t start, const Buffer& buffer, ResumePoint& point) const {
    const uint32_t spot = ring_.ahead(start, buffer.first);
    const DescWord now = ring_.word(spot);
    // The frame was copied and its length written before the first flag of the burst was.
    const uint32_t length = facts_.device_writes ? now.length : 0;
    point.commits.push_back(
        {static_cast<uint16_t>(ring_.slot(spot)), now, used_word(ring_.lap(spot), buffer.id, length)});
  }

  void restore(uint32_t start, uint32_t from, ResumePoint& point) const {
    const auto undo = facts_.remembered->undo;
    for (uint32_t k = from; k < undo.size(); ++k) {
      const uint32_t spot = ring_.ahead(start, k);
      if (ring_.word(spot) == undo[k]) continue;
      point.restores.push_back({static_cast<uint16_t>(ring_.slot(spot)), ring_.word(spot), undo[k]});
    }
  }

  // -- Without it
  ResumePoint from_ring() const {
    if (!any_given_back())
      return at(after_last_head(), ResumeSource::ring);  // all of the ring is outstanding
    const uint32_t head = ring_.behind(driver_, waiting_ + 1);
    ResumePoint point = at(after_last_head(), ResumeSource::ring);
    fill_gaps(head, point);
    if (const uint32_t rest = rest_of(head); rest > 0) {
      const uint32_t next = ring_.ahead(head, 1);
      // A driver may have put a new chain with the same id right here; then this gives it back unprocessed.
      if (!facts_.in_order && !(ring_.word(head).flags & kDescNext))
        give_back(next, ring_.word(head).id, point);
      point.position = ring_.position(ring_.ahead(next, rest));
    }
    return point;
  }

  // Slots after `head` that seem to belong to it: the last of a chain carries the chain's id.
  uint32_t rest_of(uint32_t head) const {
    const auto word_at = [&](uint32_t k) { return ring_.word(ring_.ahead(head, 1 + k)); };
    const uint16_t id = ring_.word(head).id;
    if (facts_.in_order) {
      for (uint32_t k = 0; k < waiting_; ++k)
        if (word_at(k).id == id && !(word_at(k).flags & kDescNext)) return k + 1;
      return 0;
    }
    if (waiting_ == 0) return 0;
    const uint32_t slots = chain_length(word_at, 0, waiting_);
    if (ring_.word(head).flags & kDescNext) return slots;
    return word_at(slots - 1).id == id ? slots : 0;
  }

  // Slots before the last head that look available are rests of chains, which no driver looks at again, or
  // gaps of a burst that was cut short. Giving them back mends the second and does not touch the first.
  void fill_gaps(uint32_t head, ResumePoint& point) const {
    if (facts_.in_order) return;
    const uint32_t reach = std::min(kGapSearch, ring_.size() - waiting_ - 1);
    for (uint32_t k = reach; k > 0; --k) {
      const uint32_t spot = ring_.behind(head, k);
      if (given_back(ring_.word(spot))) continue;
      const auto word_at = [&](uint32_t i) { return ring_.word(ring_.ahead(spot, i)); };
      give_back(spot, word_at(chain_length(word_at, 0, k) - 1).id, point);
    }
  }

  void give_back(uint32_t spot, uint16_t id, ResumePoint& point) const {
    point.commits.push_back(
        {static_cast<uint16_t>(ring_.slot(spot)), ring_.word(spot), used_word(ring_.lap(spot), id, 0)});
  }

  const RingFacts& facts_;
  PackedCircle ring_;
  uint32_t driver_ = 0;
  uint32_t waiting_ = 0;
};

}  // namespace

std::string_view to_string(ResumeSource source) {
  switch (source) {
    case ResumeSource::frontend:
      return "frontend";
    case ResumeSource::remembered:
      return "remembered";
    case ResumeSource::ring:
      return "ring";
  }
  return "";
}

ResumePoint find_resume_point(const RingFacts& facts) {
  return Finder(facts).find();
}

}  // namespace testbed::gate
