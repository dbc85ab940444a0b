// Tells when something appears in a directory: inotify, one instance for all ports of the process (the kernel
// allows a user only 128 of them). Control thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/result.hpp"

namespace testbed::gate {

class DirectoryWatch {
 public:
  // `name`: what was created, moved in or changed in the directory; empty when the directory itself went
  // away.
  using Callback = std::function<void(const std::string& name)>;

  explicit DirectoryWatch(boost::asio::io_context& io);
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // Errc::not_found: no such directory. Errc::system: the kernel's limit of watches is reached.
  Result<uint64_t> add(const std::string& directory, Callback callback);
  void remove(uint64_t token);

 private:
  struct Entry {
    int watch;
    std::shared_ptr<Callback> callback;
  };
  void wait();
  void drain();
  void deliver(int watch, const std::string& name);

  boost::asio::posix::stream_descriptor inotify_;
  std::map<uint64_t, Entry> entries_;
  uint64_t next_token_ = 1;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace testbed::gate
