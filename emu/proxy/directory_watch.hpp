// Tells when a file of a certain name appears in a directory: how a connecting side learns that its socket
// exists, without asking again and again. inotify(7); one instance for the whole process, because a user may
// have only 128.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace testbed::proxy {

class DirectoryWatch {
 public:
  using OnAppeared = std::function<void()>;
  // Ends the watch when destroyed. Empty: the directory cannot be watched (it may not exist yet).
  using Subscription = std::shared_ptr<void>;

  explicit DirectoryWatch(boost::asio::io_context& io);
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // This outlives the subscription.
  Subscription watch(const std::string& path, OnAppeared on_appeared);

 private:
  struct Watcher {
    int directory;  // inotify's watch descriptor: the same one for everybody who watches this directory
    std::string name;
    OnAppeared on_appeared;
  };

  void read();
  void take_events();
  void appeared(int directory, const std::string& name);
  void forget(uint64_t id);

  boost::asio::posix::stream_descriptor inotify_;
  std::map<uint64_t, Watcher> watchers_;
  uint64_t next_id_ = 1;
};

}  // namespace testbed::proxy
