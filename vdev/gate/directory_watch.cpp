#include "vdev/gate/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <vector>

namespace testbed::gate {
namespace {

// IN_ATTRIB: a listener that binds under another name and links, or opens the file up after bind.
constexpr uint32_t kMask = IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

int make_inotify() {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0)
    throw std::runtime_error("cannot watch directories (inotify); see fs.inotify.max_user_instances");
  return fd;
}

}  // namespace

DirectoryWatch::DirectoryWatch(boost::asio::io_context& io) : inotify_(io, make_inotify()) {
  wait();
}

DirectoryWatch::~DirectoryWatch() {
  *alive_ = false;
}

Result<uint64_t> DirectoryWatch::add(const std::string& directory, Callback callback) {
  const int watch = ::inotify_add_watch(inotify_.native_handle(), directory.c_str(), kMask);
  if (watch < 0 && (errno == ENOENT || errno == ENOTDIR))
    return fail(Errc::not_found, directory + " is not a directory");
  if (watch < 0) return fail_errno("cannot watch " + directory, errno);
  entries_[next_token_] = {watch, std::make_shared<Callback>(std::move(callback))};
  return next_token_++;
}

void DirectoryWatch::remove(uint64_t token) {
  const auto found = entries_.find(token);
  if (found == entries_.end()) return;
  const int watch = found->second.watch;
  entries_.erase(found);
  for (const auto& [other, entry] : entries_)
    if (entry.watch == watch) return;
  ::inotify_rm_watch(inotify_.native_handle(), watch);
}

void DirectoryWatch::wait() {
  inotify_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this, alive = alive_](const boost::system::error_code& error) {
                        if (error || !*alive) return;
                        drain();
                        wait();
                      });
}

void DirectoryWatch::drain() {
  alignas(inotify_event) std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = ::read(inotify_.native_handle(), buffer.data(), buffer.size());
    if (got <= 0) return;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      const bool gone = (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
      deliver(event->wd, gone || event->len == 0 ? "" : event->name);
    }
  }
}

// Callbacks add and remove watches; who was removed meanwhile is not called.
void DirectoryWatch::deliver(int watch, const std::string& name) {
  std::vector<std::weak_ptr<Callback>> callbacks;
  for (const auto& [token, entry] : entries_)
    if (entry.watch == watch) callbacks.push_back(entry.callback);
  for (const auto& weak : callbacks)
    if (const auto callback = weak.lock()) (*callback)(name);
}

}  // namespace testbed::gate
