#include "emu/proxy/fault_set.hpp"

#include <algorithm>
#include <array>

#include "core/base/clock.hpp"

namespace testbed::proxy {

using nlohmann::json;

namespace {

// Removes the chosen (by default the last) descriptor. Returns which one it was.
uint64_t lose_descriptor(Message& message, std::optional<uint64_t> chosen) {
  const uint64_t index = chosen.value_or(message.fd_count() - 1);
  uint64_t left = index;
  for (Attachment& attachment : message.attachments) {
    if (left < attachment.fds.size()) {
      attachment.fds.erase(attachment.fds.begin() + static_cast<std::ptrdiff_t>(left));
      break;
    }
    left -= attachment.fds.size();
  }
  std::erase_if(message.attachments, [](const Attachment& attachment) { return attachment.fds.empty(); });
  return index;
}

// Returns how many bytes were overwritten: what would lie behind the message's end is not.
uint64_t overwrite(Message& message, const FaultSpec& spec) {
  const uint64_t count = std::min<uint64_t>(spec.pattern.size(), message.bytes.size() - spec.offset);
  std::copy_n(spec.pattern.begin(), count, message.bytes.begin() + static_cast<std::ptrdiff_t>(spec.offset));
  return count;
}

}  // namespace

Result<uint64_t> FaultSet::arm(FaultSpec spec, uint64_t session, uint64_t seen) {
  forget_old();
  if (faults_.size() >= kMaxKept)
    return fail(Errc::exhausted,
                leg_ + ": " + std::to_string(kMaxKept) + " faults are armed already; proxy.heal some");
  const bool missed = spec.which.from_n && *spec.which.from_n <= seen;
  faults_.push_back({.id = next_id_, .spec = std::move(spec), .first_session = session + (missed ? 1 : 0)});
  return next_id_++;
}

Treatment FaultSet::treat(const Recorded& recorded, Message& message) {
  expire();
  Treatment treatment;
  for (Fault& fault : faults_)
    if (concerns(fault, recorded, message)) act(fault, recorded, message, treatment);
  return treatment;
}

bool FaultSet::concerns(const Fault& fault, const Recorded& recorded, const Message& message) const {
  const bool again = fault.session == recorded.session;
  if (!fault.live() || recorded.session < fault.first_session || !fault.spec.which.matches(recorded))
    return false;
  if (again && (!fault.spec.lasting() || fault.state != State::active)) return false;
  if (!again && fault.sessions == fault.spec.times) return false;
  switch (fault.spec.kind) {
    case FaultKind::drop_reply:
    case FaultKind::duplicate_reply:
      return recorded.reply;
    case FaultKind::lose_fd:
      return message.fd_count() > fault.spec.descriptor.value_or(0);
    case FaultKind::corrupt:
      return message.bytes.size() > fault.spec.offset;
    default:
      return true;
  }
}

void FaultSet::act(Fault& fault, const Recorded& recorded, Message& message, Treatment& treatment) {
  const FaultSpec& spec = fault.spec;
  json details = json::object();
  switch (spec.kind) {
    case FaultKind::cut:
      treatment.cut = spec.before ? Cut::before : Cut::after;
      break;
    case FaultKind::hold:
      if (treatment.hold) return;  // one is enough; this one waits for its next session
      treatment.hold = {fault.id, spec.bytes.value_or(message.bytes.size() / 2), spec.for_ns};
      details["bytes"] = std::min<uint64_t>(treatment.hold->bytes, message.bytes.size());
      break;
    case FaultKind::delay:
      treatment.delays.push_back({fault.id, spec.delay_ns});
      details["ms"] = spec.delay_ns / 1'000'000;
      break;
    case FaultKind::drop_reply:
      treatment.copies = 0;
      break;
    case FaultKind::duplicate_reply:
      treatment.copies *= 2;
      break;
    case FaultKind::lose_fd:
      details["index"] = lose_descriptor(message, spec.descriptor);
      break;
    case FaultKind::corrupt:
      details["bytes"] = overwrite(message, spec);
      break;
    case FaultKind::slow:
      details["bytes_per_s"] = spec.bytes_per_s;
      break;
  }
  fire(fault, recorded, std::move(details));
}

void FaultSet::fire(Fault& fault, const Recorded& recorded, json details) {
  ++fault.fired;
  if (fault.session == recorded.session) return;  // a lasting one goes on
  fault.session = recorded.session;
  ++fault.sessions;
  const bool has_duration = fault.spec.lasting() || fault.spec.kind == FaultKind::hold;
  if (has_duration)
    fault.state = State::active;
  else if (fault.sessions == fault.spec.times)
    fault.state = State::spent;
  if (fault.spec.lasting() && fault.spec.for_ns) fault.until_ns = now_ns() + fault.spec.for_ns;
  watch_clock();
  details.update({{"leg", leg_},
                  {"fault", fault.id},
                  {"kind", to_string(fault.spec.kind)},
                  {"session", recorded.session},
                  {"n", recorded.n},
                  {"dir", dir_of(recorded.from)},
                  {"request", recorded.request}});
  events_.emit("proxy.fault", std::move(details));
}

uint64_t FaultSet::pace(Side from) {
  expire();
  uint64_t slowest = 0;
  for (const Fault& fault : faults_) {
    if (fault.spec.kind != FaultKind::slow || fault.state != State::active) continue;
    if (fault.spec.which.from && *fault.spec.which.from != from) continue;
    slowest = slowest ? std::min(slowest, fault.spec.bytes_per_s) : fault.spec.bytes_per_s;
  }
  return slowest;
}

void FaultSet::expire() {
  for (Fault& fault : faults_)
    if (fault.state == State::active && fault.until_ns && fault.until_ns <= now_ns()) finish(fault, "time");
}

void FaultSet::watch_clock() {
  uint64_t next = UINT64_MAX;
  for (const Fault& fault : faults_)
    if (fault.state == State::active && fault.until_ns) next = std::min(next, fault.until_ns);
  if (next == UINT64_MAX) return;
  clock_.expires_after(std::chrono::nanoseconds(next - std::min(next, now_ns())));
  clock_.async_wait([this, guard = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
    if (error || guard.expired()) return;
    expire();
    watch_clock();
  });
}

void FaultSet::hold_over(uint64_t id) {
  Fault* fault = find(id);
  if (fault && fault->state == State::active) finish(*fault, "time");
}

void FaultSet::session_over() {
  for (Fault& fault : faults_)
    if (fault.state == State::active) finish(fault, "session");
}

void FaultSet::finish(Fault& fault, std::string_view by) {
  fault.state = fault.sessions == fault.spec.times ? State::spent : State::armed;
  fault.until_ns = 0;
  events_.emit("proxy.healed",
               {{"leg", leg_}, {"fault", fault.id}, {"kind", to_string(fault.spec.kind)}, {"by", by}});
}

Result<std::vector<uint64_t>> FaultSet::heal(std::optional<uint64_t> id) {
  if (id && !find(*id)) return fail(Errc::not_found, leg_ + " has no fault " + std::to_string(*id));
  std::vector<uint64_t> healed;
  for (Fault& fault : faults_) {
    if (!fault.live() || (id && fault.id != *id)) continue;
    finish(fault, "request");
    fault.state = State::healed;
    healed.push_back(fault.id);
  }
  return healed;
}

FaultSet::Fault* FaultSet::find(uint64_t id) {
  const auto found = std::ranges::find(faults_, id, &Fault::id);
  return found == faults_.end() ? nullptr : &*found;
}

void FaultSet::forget_old() {
  auto over = [](const Fault& fault) { return !fault.live(); };
  while (faults_.size() >= kMaxKept) {
    const auto oldest = std::ranges::find_if(faults_, over);
    if (oldest == faults_.end()) return;
    faults_.erase(oldest);
  }
}

json FaultSet::status() {
  expire();
  static constexpr std::array<std::string_view, 4> kStates = {"armed", "active", "spent", "healed"};
  json all = json::array();
  for (const Fault& fault : faults_)
    all.push_back({{"fault", fault.id},
                   {"kind", to_string(fault.spec.kind)},
                   {"state", kStates[static_cast<size_t>(fault.state)]},
                   {"fired", fault.fired},
                   {"sessions", fault.sessions},
                   {"given", fault.spec.given}});
  return all;
}

}  // namespace testbed::proxy
