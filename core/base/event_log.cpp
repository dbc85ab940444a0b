#include "core/base/event_log.hpp"

#include "core/base/clock.hpp"

namespace testbed {

void EventLog::emit(std::string_view name, nlohmann::json fields, uint64_t t) {
  std::lock_guard lock(mutex_);
  fields["seq"] = next_seq_++;
  fields["t"] = t ? t : now_ns();
  fields["name"] = name;
  events_.push_back(std::move(fields));
  if (events_.size() > kCapacity) events_.pop_front();
  if (listener_) listener_(events_.back());
}

std::vector<nlohmann::json> EventLog::since(uint64_t seq) const {
  std::lock_guard lock(mutex_);
  const uint64_t first = next_seq_ - events_.size();
  const size_t skip = seq > first ? std::min<uint64_t>(seq - first, events_.size()) : 0;
  return {events_.begin() + static_cast<std::ptrdiff_t>(skip), events_.end()};
}

uint64_t EventLog::next_seq() const {
  std::lock_guard lock(mutex_);
  return next_seq_;
}

void EventLog::set_listener(Listener listener) {
  std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

}  // namespace testbed
