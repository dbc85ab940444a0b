#include "emu/flow/engine.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace testbed::flow {

namespace {

// A number no earlier life of this flow had, not even in a process that was killed or a guest that was
// rebooted: from the calendar's nanoseconds, scrambled, so that equal ones are as likely as any two of 2^32.
// Never 0.
uint32_t fresh_number() {
  static uint64_t previous = 0;
  timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  previous = scramble(
      previous ^ (static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(ts.tv_nsec)));
  return static_cast<uint32_t>(previous >> 32) | 1u;
}

Error no_flow(uint16_t flow) {
  return {Errc::not_found, "no flow " + std::to_string(flow) + " here; flow.send or flow.expect make one"};
}

Result<void> check(const SendSpec& spec, const Transport& transport) {
  const uint32_t largest = SizeMix(spec.sizes).largest();
  if (largest > transport.max_frame())
    return fail(Errc::invalid_argument, "flow " + std::to_string(spec.flow) + ": frames of " +
                                            std::to_string(largest) + " octets do not fit frontend " +
                                            spec.end + ", which takes " +
                                            std::to_string(transport.max_frame()));
  if (spec.queue >= transport.queues())
    return fail(Errc::invalid_argument, "flow " + std::to_string(spec.flow) + ": frontend " + spec.end +
                                            " has " + std::to_string(transport.queues()) +
                                            " queues, no queue " + std::to_string(spec.queue));
  return {};
}

}  // namespace

FlowEngine::FlowEngine(Emit emit, Clock clock) : emit_(std::move(emit)), clock_(std::move(clock)) {
}

End* FlowEngine::find_end(const std::string& name) {
  const auto found = ends_.find(name);
  return found == ends_.end() ? nullptr : found->second.get();
}

Result<void> FlowEngine::add_end(const std::string& name, Transport& transport, const Mac& mac,
                                 bool announces) {
  if (find_end(name)) return fail(Errc::already_exists, "frontend " + name + " exists already");
  ends_.emplace(name, std::make_unique<End>(transport, mac, announces));
  return {};
}

Result<void> FlowEngine::remove_end(const std::string& name) {
  if (ends_.erase(name) == 0) return fail(Errc::not_found, "no frontend " + name);
  std::erase_if(senders_, [&](const auto& entry) { return entry.second->spec().end == name; });
  std::erase_if(receivers_, [&](const auto& entry) { return entry.second->spec().end == name; });
  return {};
}

Result<void> FlowEngine::send(const SendSpec& spec) {
  End* end = find_end(spec.end);
  if (!end) return fail(Errc::not_found, "no frontend " + spec.end);
  if (auto checked = check(spec, end->transport()); !checked) return checked;
  if (const auto old = senders_.find(spec.flow); old != senders_.end())
    if (End* at = find_end(old->second->spec().end)) at->detach_sender(spec.flow);
  auto& sender = senders_[spec.flow] = std::make_unique<Sender>(spec, fresh_number());
  end->attach(*sender);
  return {};
}

Result<void> FlowEngine::expect(const ExpectSpec& spec) {
  End* end = find_end(spec.end);
  if (!end) return fail(Errc::not_found, "no frontend " + spec.end);
  if (const auto old = receivers_.find(spec.flow); old != receivers_.end())
    if (End* at = find_end(old->second->spec().end)) at->detach_receiver(spec.flow);
  auto& receiver = receivers_[spec.flow] = std::make_unique<Receiver>(spec, fresh_number());
  end->attach(*receiver);
  return {};
}

Result<void> FlowEngine::remove(uint16_t flow) {
  const auto sender = senders_.find(flow);
  const auto receiver = receivers_.find(flow);
  if (sender == senders_.end() && receiver == receivers_.end()) return tl::unexpected(no_flow(flow));
  if (sender != senders_.end()) {
    find_end(sender->second->spec().end)->detach_sender(flow);
    senders_.erase(sender);
  }
  if (receiver != receivers_.end()) {
    find_end(receiver->second->spec().end)->detach_receiver(flow);
    receivers_.erase(receiver);
  }
  return {};
}

Result<uint64_t> FlowEngine::start(const uint16_t* flow) {
  const uint64_t now_ns = clock_();
  if (flow && !senders_.contains(*flow)) {
    if (receivers_.contains(*flow)) return now_ns;  // it only receives here
    return tl::unexpected(no_flow(*flow));
  }
  for (auto& [id, sender] : senders_)
    if (!flow || id == *flow) sender->start(now_ns);
  return now_ns;
}

Result<uint64_t> FlowEngine::stop(const uint16_t* flow) {
  if (flow && !senders_.contains(*flow) && !receivers_.contains(*flow)) return tl::unexpected(no_flow(*flow));
  const uint64_t now_ns = clock_();
  for (auto& [id, sender] : senders_)
    if (!flow || id == *flow) sender->stop();
  for (auto& [id, receiver] : receivers_)
    if (!flow || id == *flow) receiver->quiet(now_ns);
  return now_ns;
}

Result<void> FlowEngine::set(uint16_t flow, const FlowChange& change) {
  const auto sender = senders_.find(flow);
  const auto receiver = receivers_.find(flow);
  if (sender == senders_.end() && receiver == receivers_.end()) return tl::unexpected(no_flow(flow));
  if (change.rate_pps && sender != senders_.end()) {
    if (sender->second->closed_loop())
      return fail(Errc::invalid_argument,
                  "flow " + std::to_string(flow) + " is a closed loop: it has no rate");
    sender->second->set_rate(*change.rate_pps, clock_());
  }
  if (change.rate_pps && receiver != receivers_.end()) receiver->second->set_rate(*change.rate_pps);
  if (change.clock_offset_ns && receiver != receivers_.end())
    receiver->second->set_clock_offset(*change.clock_offset_ns);
  return {};
}

void FlowEngine::announce() {
  for (auto& [name, end] : ends_) end->announce();
}

Activity FlowEngine::poll() {
  Activity activity;
  const uint64_t now_ns = clock_();
  for (auto& [name, end] : ends_) poll_end(name, *end, now_ns, activity);
  for (auto& [id, receiver] : receivers_)
    if (receiver->fell_silent(now_ns))
      emit_(
          "flow.outage",
          {{"flow", receiver->spec().name}, {"id", id}, {"start_ns", receiver->record().outages.last_ns()}});
  for (auto& [id, sender] : senders_)
    activity.next_send_ns = std::min(activity.next_send_ns, sender->next_due_ns());
  return activity;
}

void FlowEngine::poll_end(const std::string& name, End& end, uint64_t now_ns, Activity& activity) {
  if (end.check_link(now_ns)) emit_("frontend.link", {{"frontend", name}, {"up", end.link_up()}});
  activity.frames += end.receive(clock_, [this](const Receiver& receiver) {
    emit_("flow.moving", {{"flow", receiver.spec().name}, {"id", receiver.spec().flow}});
  });
  activity.frames += end.acknowledge();
  activity.frames += end.say_hello(now_ns);
  activity.frames += end.send(clock_());
  activity.busy |= end.link_up() && end.circulating();
}

}  // namespace testbed::flow
