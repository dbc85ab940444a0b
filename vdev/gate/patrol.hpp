// Looks at everybody in turn, about twice a second: one timer for all ports of a loop, which runs only while
// there is somebody to look at. Control thread.
#pragma once

#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>

namespace testbed::gate {

class Patrol final : public boost::asio::execution_context::service {
 public:
  static inline boost::asio::execution_context::id id;
  static constexpr std::chrono::milliseconds kEvery{400};

  // Of an io_context; use_service() makes it with the first who asks.
  explicit Patrol(boost::asio::execution_context& loop);

  // `look` is called from now on. It may remove itself and others. Again for the same owner: nothing changes.
  void add(const void* owner, std::function<void()> look);
  void remove(const void* owner) { looks_.erase(owner); }

 private:
  void shutdown() override { timer_.cancel(); }
  void wait();
  void walk();

  boost::asio::steady_timer timer_;
  bool waiting_ = false;
  std::map<const void*, std::function<void()>> looks_;
};

}  // namespace testbed::gate
