// One front-end's connection and one back-end's, and everything that passes between them. It lives exactly as
// long as the two sockets do: when one peer closes, what it had sent still reaches the other, then both are
// closed.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "emu/proxy/fault_set.hpp"
#include "emu/proxy/message_reader.hpp"
#include "emu/proxy/outlet.hpp"
#include "emu/proxy/recorder.hpp"

namespace testbed::proxy {

class Session {
 public:
  // Called once; the session may be destroyed later, not within the call.
  using OnEnd = std::function<void(const std::string& reason)>;

  // All references outlive this.
  Session(boost::asio::io_context& io, Socket front, Socket back, Recorder& recorder, FaultSet& faults,
          OnEnd on_end);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  // Closes both sockets at once. Idempotent.
  void end(const std::string& reason);
  // These faults were healed: what they hold goes on.
  void release(const std::vector<uint64_t>& faults);

 private:
  struct Half {
    Half(boost::asio::io_context& io, Socket connected, OutletHooks hooks)
        : socket(std::move(connected)), outlet(io, socket, std::move(hooks)) {}
    Socket socket;
    MessageReader reader;
    Outlet outlet;          // towards this socket
    bool swallow = false;   // the message under way from here was swallowed, and so are its continuations
    bool paused = false;    // not read: the other side's outlet is full
    bool finished = false;  // all that came from here is delivered, and no more will come
    bool hung_up = false;
  };

  Half& half(Side side) { return *halves_[static_cast<size_t>(side)]; }
  OutletHooks hooks_towards(Side to);
  void read(Side from);
  void wait_readable(Side from);
  void watch_hang_up(Side side);
  void pass(Side from, Message message);
  void drained(Side from);
  void held(Side from);

  Recorder& recorder_;
  FaultSet& faults_;
  OnEnd on_end_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // gone after end()
  std::array<std::unique_ptr<Half>, 2> halves_;
};

}  // namespace testbed::proxy
