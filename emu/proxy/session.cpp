#include "emu/proxy/session.hpp"

#include <sys/socket.h>

#include <utility>

#include "emu/proxy/descriptor_io.hpp"

namespace testbed::proxy {
namespace {

// A peer that sends without end lets the other legs have their turn after this many messages.
constexpr unsigned kTurn = 32;

std::string closed_by(Side side) {
  return std::string(side_name(side)) + " closed";
}

}  // namespace

Session::Session(boost::asio::io_context& io, Socket front, Socket back, Recorder& recorder, FaultSet& faults,
                 OnEnd on_end)
    : recorder_(recorder), faults_(faults), on_end_(std::move(on_end)) {
  halves_[0] = std::make_unique<Half>(io, std::move(front), hooks_towards(Side::front));
  halves_[1] = std::make_unique<Half>(io, std::move(back), hooks_towards(Side::back));
}

Session::~Session() {
  on_end_ = nullptr;
  end("");
}

OutletHooks Session::hooks_towards(Side to) {
  const Side from = other(to);
  return {.pace = [this, from] { return faults_.pace(from); },
          .room =
              [this, from] {
                if (std::exchange(half(from).paused, false)) wait_readable(from);
              },
          .cut = [this] { end("cut"); },
          .held = [this, from] { held(from); },
          .hold_over = [this](uint64_t fault) { faults_.hold_over(fault); },
          // Who still writes there learns it the way it would have from the peer itself.
          .broken = [this, from] { ::shutdown(half(from).socket.native_handle(), SHUT_RD); },
          .drained = [this, from] { drained(from); }};
}

void Session::start() {
  for (const Side side : {Side::front, Side::back}) {
    wait_readable(side);
    watch_hang_up(side);
  }
}

void Session::end(const std::string& reason) {
  if (!std::exchange(alive_, nullptr)) return;
  for (const auto& half : halves_) {
    half->outlet.close();
    boost::system::error_code ignored;
    half->socket.close(ignored);
  }
  if (on_end_) on_end_(reason);
}

void Session::release(const std::vector<uint64_t>& faults) {
  const std::weak_ptr<bool> guard = alive_;
  for (const auto& half : halves_)
    if (!guard.expired()) half->outlet.release(faults);
}

void Session::wait_readable(Side from) {
  half(from).socket.async_wait(
      Socket::wait_read, [this, from, guard = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
        if (!error && !guard.expired()) read(from);
      });
}

// Reading tells that a peer is gone only after everything before; this tells at once.
void Session::watch_hang_up(Side side) {
  half(side).socket.async_wait(
      Socket::wait_error, [this, side, guard = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
        if (error || guard.expired() || !hung_up(half(side).socket.native_handle())) return;
        half(side).hung_up = true;
        if (half(side).finished || half(other(side)).outlet.holding()) end(closed_by(side));
      });
}

void Session::read(Side from) {
  const std::weak_ptr<bool> guard = alive_;
  Half& source = half(from);
  for (unsigned turn = 0; turn < kTurn; ++turn) {
    if (half(other(from)).outlet.full()) {
      source.paused = true;
      return;
    }
    Message message;
    switch (source.reader.read(source.socket.native_handle(), message)) {
      case MessageReader::Outcome::again:
        return wait_readable(from);
      case MessageReader::Outcome::closed:
        return half(other(from)).outlet.finish();
      case MessageReader::Outcome::piece:
        break;
    }
    pass(from, std::move(message));
    if (guard.expired()) return;
  }
  wait_readable(from);
}

void Session::pass(Side from, Message message) {
  Treatment treatment;
  if (message.piece == Piece::message) {
    treatment = faults_.treat(recorder_.add(from, message), message);
    half(from).swallow = treatment.copies == 0;
  } else if (message.piece == Piece::continuation && half(from).swallow) {
    return;
  }
  half(other(from)).outlet.push(std::move(message), treatment);
}

// A peer that has only ended its sending half (shutdown(2)) still listens: the other side is told the same
// and may go on.
void Session::drained(Side from) {
  Half& source = half(from);
  source.finished = true;
  source.hung_up |= hung_up(source.socket.native_handle());
  if (source.hung_up || half(other(from)).finished) return end(closed_by(from));
  ::shutdown(half(other(from)).socket.native_handle(), SHUT_WR);
}

// Whoever sent the message that is held and does not wait for the rest of it ends the session, as without the
// proxy.
void Session::held(Side from) {
  if (half(from).hung_up) end(closed_by(from));
}

}  // namespace testbed::proxy
