// One place in the middle: a front endpoint, a back endpoint, at most one session at a time, and the faults
// armed on it.
//
// A listening side takes a peer whenever it has none. A connecting side connects only when somebody is there
// on the other side, so that no peer is kept talking to nobody; when both connect, the back goes first. Two
// connections make a session.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/base/event_log.hpp"
#include "emu/proxy/endpoint.hpp"
#include "emu/proxy/fault_set.hpp"
#include "emu/proxy/recorder.hpp"
#include "emu/proxy/session.hpp"

namespace testbed::proxy {

struct LegConfig {
  std::string name;
  EndpointConfig front, back;
  std::vector<FaultSpec> faults;  // armed from the first session on
};

class Leg {
 public:
  // `io`, `events` and `watch` outlive this.
  Leg(boost::asio::io_context& io, EventLog& events, DirectoryWatch& watch, LegConfig config);
  ~Leg();
  Leg(const Leg&) = delete;
  Leg& operator=(const Leg&) = delete;

  Result<void> open();

  Result<uint64_t> arm(FaultSpec spec);
  Result<std::vector<uint64_t>> heal(std::optional<uint64_t> fault);
  // Ends the session, or drops the peer that waits for one.
  void disconnect();

  nlohmann::json timeline() const { return recorder_.timeline(); }
  nlohmann::json status();

 private:
  struct Place {
    std::unique_ptr<Endpoint> endpoint;
    Role role;
    std::string path;
    std::optional<Socket> waiting;  // connected, and the other side is not
    uint64_t arrival = 0;           // tells this waiting peer from the ones before
  };

  Place& place(Side side) { return places_[static_cast<size_t>(side)]; }
  const Place& place(Side side) const { return places_[static_cast<size_t>(side)]; }
  void want();
  bool wanted(Side side) const;
  void connected(Side side, Socket socket);
  void watch_waiting(Side side);
  void drop_waiting(Side side);
  void start_session();
  void session_ended(const std::string& reason);

  boost::asio::io_context& io_;
  EventLog& events_;
  std::string name_;
  std::array<Place, 2> places_;
  Recorder recorder_;
  FaultSet faults_;
  std::unique_ptr<Session> session_;
  uint64_t sessions_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed::proxy
