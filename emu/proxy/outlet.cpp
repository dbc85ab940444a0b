#include "emu/proxy/outlet.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "core/base/clock.hpp"
#include "emu/proxy/descriptor_io.hpp"

namespace testbed::proxy {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kRetryAfterNs = 10'000'000;

}  // namespace

size_t Outlet::Parcel::allowed() const {
  return treatment.hold ? std::min<uint64_t>(treatment.hold->bytes, size()) : size();
}

Outlet::Outlet(boost::asio::io_context& io, Socket& socket, OutletHooks hooks)
    : socket_(socket), hooks_(std::move(hooks)), timer_(io) {
}

void Outlet::push(Message message, const Treatment& treatment) {
  if (!alive_ || broken_ || (treatment.copies == 0 && treatment.cut == Cut::none)) return;
  waiting_bytes_ += message.bytes.size();
  waiting_fds_ += message.fd_count();
  queue_.push_back({std::move(message), treatment, now_ns(), treatment.copies});
  if (queue_.size() == 1) run();
}

void Outlet::finish() {
  finishing_ = true;
  run();
}

void Outlet::close() {
  alive_.reset();
  timer_.cancel();
  queue_.clear();
}

void Outlet::release(const std::vector<uint64_t>& faults) {
  auto released = [&faults](uint64_t fault) { return std::ranges::find(faults, fault) != faults.end(); };
  for (Parcel& parcel : queue_) {
    std::erase_if(parcel.treatment.delays, [&](const Delay& delay) { return released(delay.fault); });
    if (parcel.treatment.hold && released(parcel.treatment.hold->fault)) parcel.treatment.hold.reset();
  }
  paced_until_ns_ = 0;
  run();
}

// Hooks may close() this in the middle, and then nothing of it may be touched but alive_, which `guard`
// watches.
void Outlet::run() {
  const std::weak_ptr<bool> guard = alive_;
  if (waiting_writable_) return;
  while (!guard.expired() && !queue_.empty()) {
    Parcel& parcel = queue_.front();
    const uint64_t now = now_ns();
    const uint64_t when = not_before(parcel, now);
    if (guard.expired()) return;
    if (when) return wake_at(when);
    if (parcel.treatment.cut == Cut::before) return hooks_.cut();
    if (parcel.copies_left > 0 && parcel.sent < parcel.size()) {
      if (!write_some(parcel, now)) return;
      continue;
    }
    if (parcel.copies_left > 1) {
      --parcel.copies_left;
      parcel.sent = 0;
      continue;
    }
    if (parcel.treatment.cut == Cut::after) return hooks_.cut();
    pop();
  }
  if (!guard.expired() && std::exchange(finishing_, false)) hooks_.drained();
}

uint64_t Outlet::not_before(Parcel& parcel, uint64_t now) {
  uint64_t due = parcel.arrived_ns;
  for (const Delay& delay : parcel.treatment.delays) due += delay.ns;
  if (due > now) return due;
  if (const uint64_t until = held_until(parcel, now)) return until;  // the parcel may be gone now
  return paced_until_ns_ > now ? paced_until_ns_ : 0;
}

uint64_t Outlet::held_until(Parcel& parcel, uint64_t now) {
  auto& hold = parcel.treatment.hold;
  holding_ = hold && parcel.sent >= parcel.allowed();
  if (!holding_) return 0;
  if (parcel.hold_until_ns == 0) {
    const uint64_t until = hold->for_ns ? now + hold->for_ns : kForever;
    parcel.hold_until_ns = until;
    hooks_.held();
    return until;
  }
  if (parcel.hold_until_ns > now) return parcel.hold_until_ns;
  const uint64_t fault = hold->fault;
  hold.reset();
  holding_ = false;
  hooks_.hold_over(fault);
  return 0;
}

// As much as may leave in one go: up to the next descriptors, to where a hold begins, and 10 ms of a limited
// rate.
size_t Outlet::slice(const Parcel& parcel, uint64_t pace) const {
  size_t end = parcel.allowed();
  for (const Attachment& attachment : parcel.message.attachments)
    if (attachment.offset > parcel.sent) end = std::min(end, attachment.offset);
  if (pace) end = std::min<uint64_t>(end, parcel.sent + std::max<uint64_t>(1, pace / 100));
  return end - parcel.sent;
}

bool Outlet::write_some(Parcel& parcel, uint64_t now) {
  const uint64_t pace = hooks_.pace();
  std::span<const Fd> fds;
  for (const Attachment& attachment : parcel.message.attachments)
    if (attachment.offset == parcel.sent) fds = attachment.fds;
  const auto bytes =
      std::span<const std::byte>(parcel.message.bytes).subspan(parcel.sent, slice(parcel, pace));
  const ssize_t sent = transmit(socket_.native_handle(), bytes, fds);
  if (sent < 0) return refused(static_cast<int>(-sent));
  parcel.sent += static_cast<size_t>(sent);
  if (pace) paced_until_ns_ = now + static_cast<uint64_t>(sent) * kSecond / pace;
  return true;
}

bool Outlet::refused(int error) {
  switch (error) {
    case EAGAIN:
      wait_writable();
      return false;
    // Too many descriptors in flight to a peer that does not read, or no memory: not the peer's end, and no
    // event tells when it is over.
    case ETOOMANYREFS:
    case ENOBUFS:
    case ENOMEM:
      wake_at(now_ns() + kRetryAfterNs);
      return false;
    default:
      break;
  }
  broken_ = true;
  queue_.clear();
  waiting_bytes_ = waiting_fds_ = 0;
  holding_ = false;
  const std::weak_ptr<bool> guard = alive_;
  hooks_.broken();
  if (!guard.expired()) hooks_.room();
  if (!guard.expired() && std::exchange(finishing_, false)) hooks_.drained();
  return false;
}

void Outlet::pop() {
  const bool was_full = full();
  waiting_bytes_ -= queue_.front().size();
  waiting_fds_ -= queue_.front().message.fd_count();
  queue_.pop_front();
  if (was_full && !full()) hooks_.room();
}

void Outlet::wake_at(uint64_t when_ns) {
  if (when_ns == kForever) return;
  timer_.expires_after(std::chrono::nanoseconds(when_ns - std::min(when_ns, now_ns())));
  timer_.async_wait([this, guard = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
    if (!error && !guard.expired()) run();
  });
}

void Outlet::wait_writable() {
  waiting_writable_ = true;
  socket_.async_wait(Socket::wait_write,
                     [this, guard = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
                       if (guard.expired()) return;
                       waiting_writable_ = false;
                       if (!error) run();
                     });
}

}  // namespace testbed::proxy
