// The part of a frontend that stops, restarts and logs rings on a live session.
#include <algorithm>
#include <cstring>

#include "core/base/clock.hpp"
#include "emu/driver/app/frontend.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::driver {

using wire::bit;
using wire::Feature;
using wire::Request;

namespace {

Error no_session(const std::string& name) {
  return {Errc::disconnected, name + " has no session that is up"};
}

}  // namespace

Result<std::vector<uint32_t>> Frontend::stop_rings() {
  auto bases = ask_bases();
  if (bases) data_.run([&] { note_stopped(*bases); });
  return bases;
}

// The backend finds out where its rings stopped while the data thread comes to a place where it holds none.
Result<std::vector<uint32_t>> Frontend::ask_bases() {
  if (!at_.session) return tl::unexpected(no_session(spec_.name));
  std::vector<Message> questions;
  for (uint16_t vring = 0; vring < 2 * spec_.net.queues; ++vring)
    questions.push_back(vring_state(Request::GET_VRING_BASE, vring, 0));
  device_->stop();
  const auto still = [this] { data_.run([] {}); };
  const auto answers = at_.session->exchange_all(std::move(questions), still);
  if (!answers) return tl::unexpected(answers.error());
  std::vector<uint32_t> bases;
  for (const auto& answer : *answers) {
    wire::VringState state;
    if (!answer || answer->payload.size() != sizeof state)
      return fail(Errc::protocol, "GET_VRING_BASE was answered without a vring state");
    std::memcpy(&state, answer->payload.data(), sizeof state);
    bases.push_back(state.num);
  }
  return bases;
}

void Frontend::note_stopped(const std::vector<uint32_t>& bases) {
  for (uint16_t vring = 0; vring < bases.size(); ++vring)
    if (Vring& queue = device_->vring(vring); queue.ring())
      queue.stillness().stopped(*queue.ring(), bases[vring]);
}

Result<void> Frontend::restart_rings(bool fresh) {
  if (!at_.session) return tl::unexpected(no_session(spec_.name));
  for (size_t i = 0; i < device_->vrings(); ++i)
    if (!device_->vring(i).ring())
      return fail(Errc::not_found, "the rings are made by the handshake, which has not come that far");
  if (device_->link_up())
    if (auto stopped = stop_rings(); !stopped) return tl::unexpected(stopped.error());
  data_.run([&] {
    for (size_t i = 0; i < device_->vrings(); ++i)
      if (Vring& queue = device_->vring(i); queue.ring()) queue.stillness().restarting(*queue.ring());
  });
  fresh_ = fresh;
  at_.handshake =
      std::make_unique<Handshake>(*at_.session, spec_.handshake, party(at_), Handshake::From::rings);
  at_.handshake_ns = now_ns();
  const auto done = shake_hands({});
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<void> Frontend::tell_logging(uint64_t features) {
  if (auto told = at_.session->tell(number(Request::SET_FEATURES, features)); !told) return told;
  at_.session->features = features;
  std::vector<Message> addresses;
  for (uint16_t vring = 0; vring < 2 * spec_.net.queues; ++vring)
    addresses.push_back(vring_address(address_of(vring, features)));
  return at_.session->tell_all(std::move(addresses));
}

Result<void> Frontend::replace_log(uint64_t offset, uint64_t least) {
  if (!at_.session) return tl::unexpected(no_session(spec_.name));
  if (!at_.session->has(wire::ProtocolFeature::LOG_SHMFD))
    return fail(Errc::unsupported, "LOG_SHMFD was not negotiated with this backend");
  auto log = DirtyLog::create(memory_.top(), offset, least);
  if (!log) return tl::unexpected(log.error());
  auto next = std::make_unique<DirtyLog>(std::move(*log));
  if (auto told = at_.session->tell(log_base({next->size(), next->offset()}, next->fd())); !told) return told;
  // Only after the answer: until then the backend may write to the old one.
  std::swap(log_, next);
  if (next) {
    const auto pages = next->take();
    old_pages_.insert(old_pages_.end(), pages.begin(), pages.end());
  }
  return {};
}

Result<void> Frontend::start_logging(uint64_t offset, uint64_t least) {
  if (auto ok = replace_log(offset, least); !ok) return ok;
  logging_ = true;
  return tell_logging(at_.session->features | bit(Feature::LOG_ALL));
}

Result<void> Frontend::stop_logging() {
  if (!at_.session) return tl::unexpected(no_session(spec_.name));
  logging_ = false;
  return tell_logging(at_.session->features & ~bit(Feature::LOG_ALL));
}

void Frontend::forget_log() {
  log_.reset();
  old_pages_.clear();
  logging_ = false;
  spec_.handshake.wanted &= ~bit(Feature::LOG_ALL);
}

std::vector<uint64_t> Frontend::take_dirty(bool clear) {
  std::vector<uint64_t> pages = old_pages_;
  if (clear) old_pages_.clear();
  if (log_) {
    const auto marked = clear ? log_->take() : log_->peek();
    pages.insert(pages.end(), marked.begin(), marked.end());
  }
  std::ranges::sort(pages);
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  return pages;
}

}  // namespace testbed::driver
