// A session's files of guest memory and its dirty log, under guard (fault_guard.hpp), and the news on the
// control thread when one of them became shorter.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vdev/gate/fault_guard.hpp"
#include "vdev/gate/message.hpp"

namespace testbed::gate {

class MemoryWatch {
 public:
  // `shrunk` is called at most once.
  MemoryWatch(boost::asio::io_context& io, std::function<void()> shrunk);

  // SET_MEM_TABLE or SET_LOG_BASE, before the back-end maps what came with it.
  Result<void> before(const Message& message, std::span<const FdFacts> fds);
  // It did, and nobody uses any more what the message replaced.
  void accepted(wire::Request request);

 private:
  Result<void> begin();
  void wait();

  boost::asio::posix::stream_descriptor bell_;
  std::function<void()> shrunk_;
  std::optional<GuardedFiles> guard_;  // destroyed before the bell
  std::vector<FileId> table_, log_, coming_;
};

}  // namespace testbed::gate
