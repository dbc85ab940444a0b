#include "emu/proxy/leg.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "core/base/assert.hpp"
#include "emu/proxy/descriptor_io.hpp"

namespace testbed::proxy {

using nlohmann::json;

Leg::Leg(boost::asio::io_context& io, EventLog& events, DirectoryWatch& watch, LegConfig config)
    : io_(io),
      events_(events),
      name_(config.name),
      recorder_(events, config.name),
      faults_(io, events, config.name) {
  for (const Side side : {Side::front, Side::back}) {
    EndpointConfig& endpoint = side == Side::front ? config.front : config.back;
    Place& here = place(side);
    here.role = endpoint.role;
    here.path = endpoint.path;
    here.endpoint = Endpoint::make(io, watch, std::move(endpoint),
                                   [this, side](Socket socket) { connected(side, std::move(socket)); });
  }
  for (FaultSpec& fault : config.faults) (void)faults_.arm(std::move(fault), 0, 0);
}

Leg::~Leg() {
  alive_.reset();
  if (session_) session_->end("removed");
}

Result<void> Leg::open() {
  for (const Side side : {Side::front, Side::back}) {
    auto opened = place(side).endpoint->open();
    if (!opened) {
      Error error = opened.error();
      error.message = name_ + "." + std::string(side_name(side)) + ": " + error.message;
      return tl::unexpected(std::move(error));
    }
  }
  want();
  return {};
}

bool Leg::wanted(Side side) const {
  if (session_ || place(side).waiting) return false;
  if (place(side).role == Role::server || place(other(side)).waiting) return true;
  return side == Side::back && place(Side::front).role == Role::client;
}

void Leg::want() {
  for (const Side side : {Side::front, Side::back})
    if (wanted(side))
      place(side).endpoint->want();
    else
      place(side).endpoint->unwant();
}

void Leg::connected(Side side, Socket socket) {
  Place& here = place(side);
  here.waiting = std::move(socket);
  ++here.arrival;
  events_.emit("proxy.connected", {{"leg", name_}, {"side", side_name(side)}});
  if (place(other(side)).waiting) return start_session();
  watch_waiting(side);
  want();
}

void Leg::watch_waiting(Side side) {
  Place& here = place(side);
  here.waiting->async_wait(
      Socket::wait_error, [this, side, arrival = here.arrival,
                           guard = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
        if (error || guard.expired()) return;
        Place& there = place(side);
        if (there.waiting && there.arrival == arrival && hung_up(there.waiting->native_handle()))
          drop_waiting(side);
      });
}

void Leg::drop_waiting(Side side) {
  place(side).waiting.reset();
  events_.emit("proxy.gave_up", {{"leg", name_}, {"side", side_name(side)}});
  want();
}

void Leg::start_session() {
  TB_ASSERT(!session_);
  for (Place& one : places_) one.waiting->cancel();  // from now on the session watches them
  Socket front = std::move(*std::exchange(place(Side::front).waiting, std::nullopt));
  Socket back = std::move(*std::exchange(place(Side::back).waiting, std::nullopt));
  ++sessions_;
  recorder_.begin(sessions_);
  session_ = std::make_unique<Session>(io_, std::move(front), std::move(back), recorder_, faults_,
                                       [this](const std::string& reason) { session_ended(reason); });
  events_.emit("proxy.up", {{"leg", name_}, {"session", sessions_}});
  session_->start();
  want();
}

void Leg::session_ended(const std::string& reason) {
  events_.emit("proxy.down",
               {{"leg", name_}, {"session", sessions_}, {"reason", reason}, {"messages", recorder_.count()}});
  faults_.session_over();
  // The session is still on the call stack.
  boost::asio::post(io_, [over = std::shared_ptr<Session>(std::move(session_))] {});
  if (alive_) want();
}

Result<uint64_t> Leg::arm(FaultSpec spec) {
  return faults_.arm(std::move(spec), sessions_, recorder_.count());
}

Result<std::vector<uint64_t>> Leg::heal(std::optional<uint64_t> fault) {
  auto healed = faults_.heal(fault);
  if (healed && session_) session_->release(*healed);
  return healed;
}

void Leg::disconnect() {
  if (session_) return session_->end("disconnected");
  for (const Side side : {Side::front, Side::back})
    if (place(side).waiting) drop_waiting(side);
}

json Leg::status() {
  json status = {{"state", session_ ? "up" : "down"},
                 {"sessions", sessions_},
                 {"messages", recorder_.count()},
                 {"faults", faults_.status()}};
  for (const Side side : {Side::front, Side::back}) {
    const Place& here = place(side);
    status[side_name(side).data()] = {{"path", here.path},
                                      {"role", here.role == Role::server ? "server" : "client"},
                                      {"state", session_       ? "connected"
                                                : here.waiting ? "waiting"
                                                               : here.endpoint->state()}};
  }
  return status;
}

}  // namespace testbed::proxy
