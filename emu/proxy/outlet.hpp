// The way out of one socket: what waits to be written there, in order, each parcel as late, as slowly, as
// incompletely or as often as the faults want it. Without a fault a parcel leaves within the call that pushed
// it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "emu/proxy/fault_set.hpp"
#include "emu/proxy/message.hpp"

namespace testbed::proxy {

using Socket = boost::asio::local::stream_protocol::socket;

// What an outlet tells and asks the session it belongs to. Any of these but `pace` may end the session.
struct OutletHooks {
  std::function<uint64_t()> pace;                 // bytes per second now; 0: no limit
  std::function<void()> room;                     // there is room again after full()
  std::function<void()> cut;                      // a cut's turn has come
  std::function<void()> held;                     // a hold has begun
  std::function<void(uint64_t fault)> hold_over;  // ... and its time has passed
  std::function<void()> broken;                   // the peer takes nothing any more
  std::function<void()> drained;                  // after finish(): all is written
};

class Outlet {
 public:
  // `socket` and `io` outlive this.
  Outlet(boost::asio::io_context& io, Socket& socket, OutletHooks hooks);

  void push(Message message, const Treatment& treatment);
  // Nothing more comes.
  void finish();
  // Drops everything; no hook is called any more. The session is over.
  void close();

  // Enough waits here: do not read more.
  bool full() const {
    return queue_.size() >= kMaxParcels || waiting_bytes_ >= kMaxBytes || waiting_fds_ >= kMaxFds;
  }
  bool holding() const { return holding_; }
  // Lets go of what these faults hold or delay.
  void release(const std::vector<uint64_t>& faults);
  // Looks at the queue again (a limit has changed).
  void run();

 private:
  static constexpr size_t kMaxParcels = 64, kMaxBytes = 1u << 20, kMaxFds = 512;
  static constexpr uint64_t kForever = UINT64_MAX;

  struct Parcel {
    Message message;
    Treatment treatment;
    uint64_t arrived_ns;
    unsigned copies_left;
    size_t sent = 0;             // bytes of the copy under way
    uint64_t hold_until_ns = 0;  // set when the hold begins
    size_t size() const { return message.bytes.size(); }
    size_t allowed() const;  // bytes a hold lets through
  };

  // When the parcel's next byte may leave: 0 is now, kForever when something other than time decides.
  uint64_t not_before(Parcel& parcel, uint64_t now);
  // Until when a hold stops it; 0 when none does.
  uint64_t held_until(Parcel& parcel, uint64_t now);
  // False when nothing more can be written now (or ever).
  bool write_some(Parcel& parcel, uint64_t now);
  size_t slice(const Parcel& parcel, uint64_t pace) const;
  bool refused(int error);
  void pop();
  void wake_at(uint64_t when_ns);
  void wait_writable();

  Socket& socket_;
  OutletHooks hooks_;
  boost::asio::steady_timer timer_;
  std::deque<Parcel> queue_;
  size_t waiting_bytes_ = 0;
  size_t waiting_fds_ = 0;
  uint64_t paced_until_ns_ = 0;
  bool waiting_writable_ = false;
  bool holding_ = false;
  bool finishing_ = false;
  bool broken_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // gone after close()
};

}  // namespace testbed::proxy
