#include "vdev/gate/virtqueues.hpp"

#include <fcntl.h>

#include <algorithm>

#include "vdev/gate/rules/request_shape.hpp"
#include "vdev/gate/split_tail.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::gate {
namespace {

using wire::Feature;
using wire::Request;

bool has(uint64_t features, Feature feature) {
  return (features & bit(feature)) != 0;
}

}  // namespace

Result<void> Virtqueues::observe(const Message& message) {
  if (message.is(Request::SET_MEM_TABLE)) return guest_.set_table(message);
  if (message.is(Request::SET_LOG_BASE)) {
    auto log = DirtyLog::map(message.fds.front().get(), *message.as<wire::Log>());
    if (!log) return tl::unexpected(log.error());
    log_ = std::move(*log);
    for (Virtqueue& queue : queues_) log_written(queue);
    return {};
  }
  const auto index = vring_of(message);
  if (!index || *index >= queues_.size()) return {};
  Virtqueue& queue = queues_[*index];
  switch (message.request()) {
    case Request::SET_VRING_NUM:
      queue.size = static_cast<uint16_t>(message.as<wire::VringState>()->num);
      break;
    case Request::SET_VRING_ADDR:
      queue.address = message.as<wire::VringAddr>();
      break;
    case Request::SET_VRING_BASE:
      queue.base = static_cast<uint16_t>(message.as<wire::VringState>()->num);
      break;
    case Request::SET_VRING_KICK:
      queue.kick = message.fds.empty()
                       ? nullptr
                       : std::make_shared<Fd>(::fcntl(message.fds.front().get(), F_DUPFD_CLOEXEC, 0));
      break;
    default:
      break;
  }
  return {};
}

std::optional<Resumption> Virtqueues::start(uint16_t index, uint64_t features) {
  Virtqueue& queue = queues_[index];
  // Behind an IOMMU the addresses are not the front-end's own. A kick without a new base is a new descriptor,
  // not a start.
  if (!queue.base || !queue.address || has(features, Feature::ACCESS_PLATFORM)) return std::nullopt;
  const uint16_t base = *std::exchange(queue.base, std::nullopt);
  queue.unlogged.clear();
  if (!has(features, Feature::RING_PACKED)) queue.packed = nullptr;
  auto resumption = has(features, Feature::RING_PACKED) ? start_packed(index, base, features)
                                                        : start_split(index, base, features);
  log_written(queue);
  return resumption;
}

// A split ring is logged where the front-end says. A packed one where it is, and where the front-end says,
// whatever it means by that (decisions/0009).
void Virtqueues::wrote(Virtqueue& queue, uint64_t features, uint64_t offset, uint64_t length) const {
  if (!has(features, Feature::LOG_ALL)) return;
  if ((queue.address->flags & 1) != 0) queue.unlogged.push_back({queue.address->log + offset, length});
  const auto ring = guest_.guest_address(queue.address->descriptor);
  if (has(features, Feature::RING_PACKED) && ring) queue.unlogged.push_back({*ring + offset, length});
}

void Virtqueues::log_written(Virtqueue& queue) const {
  if (!log_) return;
  for (const Written& written : queue.unlogged) log_->mark(written.at, written.length);
  queue.unlogged.clear();
}

std::optional<Resumption> Virtqueues::start_packed(uint16_t index, uint16_t base, uint64_t features) {
  Virtqueue& queue = queues_[index];
  auto ring = PackedRing::map(guest_, queue.address->descriptor, queue.address->used, queue.size);
  if (!ring) {  // the back-end judges the addresses; it will find the same
    queue.packed = nullptr;
    return std::nullopt;
  }
  queue.packed = std::move(*ring);
  RingRecord& record = memory_.ring(index);
  const std::vector<DescWord> words = queue.packed->snapshot();
  RingFacts facts{words,          base, queue.packed->device_area_written(), has(features, Feature::IN_ORDER),
                  index % 2 == 0, {}};
  if (record.holds(queue.size)) {
    const auto state = record.state.load(std::memory_order_acquire);
    facts.remembered =
        Remembered{state.position, std::span(record.undo).first(state.undo), record.unfinished()};
  }
  const ResumePoint point = find_resume_point(facts);
  const auto apply = [&](const Edit& edit) {
    if (!queue.packed->apply(edit)) return false;
    wrote(queue, features, sizeof(wire::PackedDesc) * edit.slot, sizeof(wire::PackedDesc));
    return true;
  };
  const auto committed =
      static_cast<size_t>(std::count_if(point.commits.begin(), point.commits.end(), apply));
  std::for_each(point.restores.begin(), point.restores.end(), apply);
  record.set_position(point.position, queue.size);
  queue.packed->mark_served();
  // Here, and by the back-end in a moment, which wants no kicks yet.
  if (const auto event = guest_.guest_address(queue.address->used); event && has(features, Feature::LOG_ALL))
    queue.unlogged.push_back({*event, sizeof(wire::PackedEvent)});
  if (point.position == wire::kPositionStart && base == point.position && committed == 0) return std::nullopt;
  return Resumption{index,
                    static_cast<uint16_t>(point.position & ~wire::kPositionWrap),
                    (point.position & wire::kPositionWrap) != 0,
                    committed,
                    to_string(point.source),
                    base};
}

// Whoever walks the ring takes the used index itself when it maps it; here it is only told, and a burst that had gone on
// when its switch was killed is given back.
std::optional<Resumption> Virtqueues::start_split(uint16_t index, uint16_t base, uint64_t features) {
  Virtqueue& queue = queues_[index];
  auto ring = SplitTail::map(guest_, *queue.address, queue.size);
  if (!ring) return std::nullopt;
  RingRecord& record = memory_.ring(index);
  const uint16_t used = ring->used_index();
  size_t committed = 0;
  if (record.claimed() && record.holds(queue.size)) {
    const auto state = record.state.load(std::memory_order_acquire);
    if (state.position == used) committed = ring->give_back(state.undo);
  }
  for (size_t i = 0; i < committed; ++i)
    wrote(queue, features,
          sizeof(wire::SplitUsed) + sizeof(wire::SplitUsedElement) * ((used + i) % queue.size),
          sizeof(wire::SplitUsedElement));
  // The index; and the back-end says in a moment that it wants no kicks yet.
  if (committed > 0 || !has(features, Feature::RING_EVENT_IDX))
    wrote(queue, features, 0, sizeof(wire::SplitUsed));
  const auto position = static_cast<uint16_t>(used + committed);
  record.set_position(position, queue.size);
  if (position == 0 && base == 0) return std::nullopt;
  const std::string_view source = committed > 0 ? "remembered" : position == base ? "frontend" : "used_index";
  return Resumption{index, position, false, committed, source, base};
}

void Virtqueues::remap() {
  for (Virtqueue& queue : queues_) {
    if (!queue.packed) continue;
    auto ring = PackedRing::map(guest_, queue.address->descriptor, queue.address->used, queue.size);
    queue.packed = ring ? std::move(*ring) : nullptr;
  }
}

void Virtqueues::stopped(uint16_t index, uint16_t position) {
  Virtqueue& queue = queues_[index];
  if (queue.size > 0) memory_.ring(index).set_position(position, queue.size);
  queue.kick = nullptr;
  queue.packed = nullptr;
}

}  // namespace testbed::gate
