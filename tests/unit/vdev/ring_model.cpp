#include "ring_model.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "vdev/gate/ring_record.hpp"

namespace testbed::test {

using gate::DescWord;
using namespace wire;

RingModel::RingModel(const RingSetup& setup, uint64_t seed)
    : setup_(setup), random_(seed), ring_(setup.size), free_slots_(setup.size) {
  for (uint16_t id = 0; id < setup.size; ++id) free_ids_.push_back(id);
}

// -- The driver

bool RingModel::make_available() {
  const auto slots = static_cast<uint16_t>(pick(1, std::min(setup_.longest_chain, setup_.size)));
  if (slots > free_slots_) return false;
  Buffer buffer{next_serial_++, static_cast<uint16_t>(make_slot_), slots, 0, {}, false, false};
  if (setup_.in_order) {
    buffer.id = buffer.slot;
  } else {
    buffer.id = free_ids_.back();  // last in, first out: ids are used again at once
    free_ids_.pop_back();
  }
  for (uint16_t i = 0; i < slots; ++i) {
    const bool last = i + 1 == slots;
    uint16_t flags = make_lap_ ? kPackedAvail : kPackedUsed;
    if (!last) flags |= kDescNext;
    if (setup_.device_writes) flags |= kDescWrite;
    const bool with_id = last || setup_.id_in_every_slot;
    const DescWord written{static_cast<uint32_t>(pick(64, 2000)),
                           with_id ? buffer.id : static_cast<uint16_t>(pick(0, 65535)), flags};
    word(make_slot_) = written;
    buffer.words.push_back(written);
    if (++make_slot_ == setup_.size) {
      make_slot_ = 0;
      make_lap_ = !make_lap_;
    }
  }
  free_slots_ = static_cast<uint16_t>(free_slots_ - slots);
  BOOST_REQUIRE(!buffers_.contains(buffer.id));
  buffers_[buffer.id] = buffer;
  return true;
}

void RingModel::reap() {
  for (;;) {
    const DescWord now = word(reap_slot_);
    const bool avail = now.flags & kPackedAvail, used = now.flags & kPackedUsed;
    if (avail != reap_lap_ || used != reap_lap_ || buffers_.empty()) return;
    BOOST_REQUIRE_MESSAGE(buffers_.contains(now.id),
                          "the device gave back id " << now.id << ", which is not outstanding");
    for (bool last = false; !last;) {
      const auto found = setup_.in_order
                             ? std::find_if(buffers_.begin(), buffers_.end(),
                                            [&](const auto& b) { return b.second.slot == reap_slot_; })
                             : buffers_.find(now.id);
      BOOST_REQUIRE(found != buffers_.end());
      const Buffer& buffer = found->second;
      BOOST_REQUIRE_EQUAL(buffer.slot, reap_slot_);
      last = buffer.id == now.id;
      if (!buffer.delivered) ++lost_;
      free_slots_ = static_cast<uint16_t>(free_slots_ + buffer.slots);
      reap_slot_ += buffer.slots;
      if (reap_slot_ >= setup_.size) {
        reap_slot_ -= setup_.size;
        reap_lap_ = !reap_lap_;
      }
      if (!setup_.in_order) free_ids_.push_back(buffer.id);
      buffers_.erase(found);
    }
  }
}

// -- The device

void RingModel::store(const std::function<void()>& what) {
  if (stores_left_ == 0) throw Killed();
  if (stores_left_ > 0) --stores_left_;
  what();
}

Buffer* RingModel::head_at(uint32_t slot) {
  for (auto& [id, buffer] : buffers_)
    if (buffer.slot == slot) return &buffer;
  return nullptr;
}

std::vector<Buffer*> RingModel::collect(uint16_t most) {
  std::vector<Buffer*> found;
  uint32_t slot = slot_, slots = 0;
  bool lap = lap_;
  while (found.size() < most) {
    const DescWord now = word(slot);
    if (((now.flags & kPackedAvail) != 0) != lap || ((now.flags & kPackedUsed) != 0) == lap) break;
    Buffer* buffer = head_at(slot);
    BOOST_REQUIRE_MESSAGE(buffer != nullptr, "slot " << slot << " looks available and is no buffer's first");
    BOOST_REQUIRE_MESSAGE(!buffer->given_back,
                          "buffer " << buffer->serial << " is processed after it was given back");
    slots += buffer->slots;
    if (slots > gate::RingRecord::kUndo) break;
    if (setup_.undo_log)
      for (uint16_t i = 0; i < buffer->slots; ++i)
        BOOST_REQUIRE_MESSAGE(word(slot + i) == buffer->words[i],
                              "a descriptor is not as the driver wrote it");
    found.push_back(buffer);
    slot += buffer->slots;
    if (slot >= setup_.size) {
      slot -= setup_.size;
      lap = !lap;
    }
  }
  return found;
}

void RingModel::log_burst(const std::vector<Buffer*>& burst) {
  undo_next_.clear();
  for (const Buffer* buffer : burst)
    for (uint16_t i = 0; i < buffer->slots; ++i) undo_next_.push_back(word(buffer->slot + i));
  store([&] { undo_ = undo_next_; });
}

void RingModel::finish(const std::vector<Buffer*>& burst) {
  for (const Buffer* buffer : burst) {
    slot_ += buffer->slots;
    if (slot_ >= setup_.size) {
      slot_ -= setup_.size;
      lap_ = !lap_;
    }
  }
  store([&] {
    undo_.clear();
    position_ = static_cast<uint16_t>(slot_ | (lap_ ? kPositionWrap : 0));
  });
  for (Buffer* buffer : burst) buffer->delivered = true;
}

uint16_t RingModel::used_flags(bool lap, bool write) const {
  return static_cast<uint16_t>((lap ? kPackedAvail | kPackedUsed : 0) | (write ? kDescWrite : 0));
}

void RingModel::flag(Buffer& buffer, uint16_t flags) {
  store([&] {
    word(buffer.slot).flags = flags;
    buffer.given_back = true;
  });
}

// The first buffer of the burst is flagged last; the others as they come. The head keeps the flags the driver
// gave it.
void RingModel::transmit_single(const std::vector<Buffer*>& burst) {
  const auto flags = [&](const Buffer* b) {
    const bool lap = (b->words[0].flags & kPackedAvail) != 0;
    return static_cast<uint16_t>((b->words[0].flags & ~(kPackedAvail | kPackedUsed)) |
                                 used_flags(lap, false));
  };
  for (size_t i = 1; i < burst.size(); ++i) {
    store([&] { word(burst[i]->slot).id = burst[i]->id; });
    store([&] { word(burst[i]->slot).length = 0; });
    flag(*burst[i], flags(burst[i]));
  }
  store([&] { word(burst[0]->slot).id = burst[0]->id; });
  flag(*burst[0], flags(burst[0]));
}

// One used descriptor for all.
void RingModel::transmit_in_order(const std::vector<Buffer*>& burst) {
  store([&] { word(burst[0]->slot).id = burst.back()->id; });
  const bool lap = (burst[0]->words[0].flags & kPackedAvail) != 0;
  flag(*burst[0], used_flags(lap, false));
  for (Buffer* buffer : burst) buffer->given_back = true;
}

// Ids and lengths of all, then the flags, the first ones last.
void RingModel::shadow(const std::vector<Buffer*>& burst) {
  for (Buffer* buffer : burst) {
    store([&] { word(buffer->slot).id = buffer->id; });
    store([&] { word(buffer->slot).length = 60; });
  }
  const auto flags = [&](const Buffer* b) {
    return used_flags((b->words[0].flags & kPackedAvail) != 0, true);
  };
  for (size_t i = 1; i < burst.size(); ++i) flag(*burst[i], flags(burst[i]));
  flag(*burst[0], flags(burst[0]));
}

// Ids and lengths of a few, then their flags in order.
void RingModel::batch(const std::vector<Buffer*>& burst) {
  for (size_t first = 0; first < burst.size(); first += 4) {
    const size_t end = std::min(first + 4, burst.size());
    for (size_t i = first; i < end; ++i) {
      store([&] { word(burst[i]->slot).id = burst[i]->id; });
      store([&] { word(burst[i]->slot).length = setup_.device_writes ? 60 : 0; });
    }
    for (size_t i = first; i < end; ++i)
      flag(*burst[i], used_flags((burst[i]->words[0].flags & kPackedAvail) != 0, setup_.device_writes));
  }
}

bool RingModel::burst(int stores) {
  const std::vector<Buffer*> found = collect(static_cast<uint16_t>(pick(1, setup_.burst)));
  if (found.empty()) return true;
  stores_left_ = stores;
  served_ = true;
  try {
    log_burst(found);
    if (setup_.in_order && !setup_.device_writes) {
      transmit_in_order(found);
    } else if (pick(0, 1) == 0) {
      batch(found);
    } else if (setup_.device_writes) {
      shadow(found);
    } else {
      transmit_single(found);
    }
    finish(found);
  } catch (const Killed&) {
    return false;
  }
  return true;
}

gate::ResumePoint RingModel::resume(const std::function<void()>& between) {
  const std::vector<DescWord> copy = ring_;
  const std::vector<DescWord> undo = undo_;
  gate::RingFacts facts{copy, kPositionStart, served_, setup_.in_order, setup_.device_writes, {}};
  if (setup_.undo_log) facts.remembered = gate::Remembered{position_, undo};
  const gate::ResumePoint point = gate::find_resume_point(facts);
  between();
  const auto apply = [&](const gate::Edit& edit, bool gives_back) {
    if (!(word(edit.slot) == edit.expected)) return;
    word(edit.slot) = edit.desired;
    Buffer* buffer = head_at(edit.slot);
    if (!gives_back || buffer == nullptr) return;
    buffer->given_back = true;
  };
  for (const gate::Edit& edit : point.commits) apply(edit, true);
  for (const gate::Edit& edit : point.restores) apply(edit, false);
  slot_ = point.position & ~kPositionWrap;
  lap_ = (point.position & kPositionWrap) != 0;
  position_ = point.position;
  undo_.clear();
  return point;
}

}  // namespace testbed::test
