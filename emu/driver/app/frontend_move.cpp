// The part of a frontend that moves to another host.
#include "emu/driver/app/frontend.hpp"

namespace testbed::driver {

using wire::Request;

Result<void> Frontend::migrate(const MigrationSpec& spec) {
  if (migration_) return fail(Errc::already_exists, spec_.name + " is on its way already");
  if (int none = 0; !flips_.compare_exchange_strong(none, kMoves))
    return fail(Errc::busy, spec_.name + " has memory that flips; stop that first");
  auto begun = Migration::begin(*this, spec);
  if (!begun) {
    flips_ = 0;
    return tl::unexpected(begun.error());
  }
  migration_ = std::move(*begun);
  return {};
}

Result<void> Frontend::cancel_migration() {
  if (!migration_) return fail(Errc::not_found, spec_.name + " is not on its way");
  migration_->cancel();
  return {};
}

void Frontend::continue_migration() {
  if (migration_->step()) return;
  last_migration_ = migration_->report();
  migration_.reset();
  flips_ = 0;
}

bool Frontend::begin_flip() {
  int flips = flips_;
  do {
    if (flips == kMoves) return false;
  } while (!flips_.compare_exchange_weak(flips, flips + 1));
  return true;
}

Result<void> Frontend::start_rings(const std::vector<uint32_t>& bases) {
  std::vector<Message> messages;
  for (uint16_t vring = 0; vring < bases.size(); ++vring) {
    const int kick = spec_.handshake.polled ? -1 : device_->vring(vring).kick_fd();
    messages.push_back(vring_state(Request::SET_VRING_BASE, vring, bases[vring]));
    messages.push_back(vring_file(Request::SET_VRING_KICK, vring, kick));
  }
  if (at_.session->has(wire::ProtocolFeature::STATUS)) messages.push_back(driver_ok());
  kept_ = true;
  return at_.session->tell_all(std::move(messages));
}

Result<void> Frontend::enable_rings() {
  std::vector<Message> messages;
  for (uint16_t vring = 0; vring < 2 * spec_.net.queues; ++vring)
    messages.push_back(vring_state(Request::SET_VRING_ENABLE, vring, vring / 2 < device_->queues()));
  if (auto told = at_.session->tell_all(std::move(messages)); !told) return told;
  return bring_up(at_.session->sent(), at_.handshake_ns);
}

}  // namespace testbed::driver
