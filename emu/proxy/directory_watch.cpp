#include "emu/proxy/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <filesystem>
#include <vector>

namespace testbed::proxy {

DirectoryWatch::DirectoryWatch(boost::asio::io_context& io) : inotify_(io) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return;  // none left for this user: every watch() comes back empty
  inotify_.assign(fd);
  read();
}

DirectoryWatch::~DirectoryWatch() = default;

DirectoryWatch::Subscription DirectoryWatch::watch(const std::string& path, OnAppeared on_appeared) {
  if (!inotify_.is_open()) return nullptr;
  const std::filesystem::path file(path);
  const std::string directory = file.has_parent_path() ? file.parent_path().string() : ".";
  const int descriptor =
      ::inotify_add_watch(inotify_.native_handle(), directory.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
  if (descriptor < 0) return nullptr;
  const uint64_t id = next_id_++;
  watchers_[id] = {descriptor, file.filename().string(), std::move(on_appeared)};
  return Subscription(nullptr, [this, id](void*) { forget(id); });
}

void DirectoryWatch::forget(uint64_t id) {
  const auto found = watchers_.find(id);
  if (found == watchers_.end()) return;
  const int directory = found->second.directory;
  watchers_.erase(found);
  const bool shared =
      std::ranges::any_of(watchers_, [&](const auto& one) { return one.second.directory == directory; });
  if (!shared) ::inotify_rm_watch(inotify_.native_handle(), directory);
}

void DirectoryWatch::read() {
  inotify_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this](boost::system::error_code error) {
                        if (error) return;
                        take_events();
                        read();
                      });
}

void DirectoryWatch::take_events() {
  alignas(inotify_event) char buffer[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  for (ssize_t got; (got = ::read(inotify_.native_handle(), buffer, sizeof buffer)) > 0;) {
    for (const char* at = buffer; at < buffer + got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      if (event->len > 0) appeared(event->wd, event->name);
    }
  }
}

void DirectoryWatch::appeared(int directory, const std::string& name) {
  std::vector<OnAppeared> concerned;  // a callback may subscribe or unsubscribe
  for (const auto& [id, watcher] : watchers_)
    if (watcher.directory == directory && watcher.name == name) concerned.push_back(watcher.on_appeared);
  for (const auto& on_appeared : concerned) on_appeared();
}

}  // namespace testbed::proxy
