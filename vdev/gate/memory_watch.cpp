#include "vdev/gate/memory_watch.hpp"

#include <sys/eventfd.h>

#include <cerrno>

namespace testbed::gate {

using wire::Request;

MemoryWatch::MemoryWatch(boost::asio::io_context& io, std::function<void()> shrunk)
    : bell_(io), shrunk_(std::move(shrunk)) {
}

Result<void> MemoryWatch::begin() {
  if (guard_) return {};
  const int bell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (bell < 0) return fail_errno("eventfd", errno);
  bell_.assign(bell);
  guard_.emplace(bell);
  wait();
  return {};
}

// The handler of a descriptor that was closed is called with an error, and touches nothing then.
void MemoryWatch::wait() {
  bell_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                   [shrunk = shrunk_](const boost::system::error_code& error) {
                     if (!error) shrunk();
                   });
}

Result<void> MemoryWatch::before(const Message& message, std::span<const FdFacts> fds) {
  if (!message.is(Request::SET_MEM_TABLE) && !message.is(Request::SET_LOG_BASE)) return {};
  if (auto ok = begin(); !ok) return ok;
  coming_.clear();
  for (const FdFacts& file : fds) {
    if (auto ok = guard_->add(file.id); !ok) return ok;
    coming_.push_back(file.id);
  }
  return {};
}

void MemoryWatch::accepted(Request request) {
  if (coming_.empty()) return;
  (request == Request::SET_LOG_BASE ? log_ : table_) = std::exchange(coming_, {});
  std::vector<FileId> used = table_;
  used.insert(used.end(), log_.begin(), log_.end());
  guard_->keep(used);
}

}  // namespace testbed::gate
