// Lets a worker call the control thread without a lock or an allocation: one eventfd for all ports, one write
// for each call. For what happens once a session; whoever is called looks for itself at what there is to do.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>

namespace testbed::gate {

class Doorbell {
 public:
  explicit Doorbell(boost::asio::io_context& io);
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // Any thread.
  void ring();

  // Control thread. `answer` is called there after every ring.
  void add(const void* owner, std::function<void()> answer) { answers_[owner] = std::move(answer); }
  void remove(const void* owner) { answers_.erase(owner); }

 private:
  void wait();

  boost::asio::posix::stream_descriptor bell_;
  std::map<const void*, std::function<void()>> answers_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed::gate
