#include "emu/load/frontend.hpp"

#include <chrono>
#include <filesystem>
#include <utility>

#include "emu/load/device.hpp"

namespace testbed::load {

using std::chrono::milliseconds;

Frontend::Frontend(FrontendOptions options, std::string device, Worker& worker, Emit emit)
    : options_(std::move(options)), device_(std::move(device)), worker_(worker), emit_(std::move(emit)) {
  opener_ = std::thread([this] {
    open_until_cancelled();
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
  });
}

bool Frontend::cancelled_within(milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return cancelled_; });
}

void Frontend::open_until_cancelled() {
  std::string last_error;
  for (auto pause = milliseconds(0); !cancelled_within(pause); pause = milliseconds(10)) {
    // A client has nobody to connect to before there is a socket.
    std::error_code ignored;
    if (options_.role == Role::client && !std::filesystem::is_socket(options_.path, ignored)) continue;
    auto opened = VirtioPort::open(options_, device_);
    if (opened) {
      worker_.run([&] {
        port_ = std::move(*opened);
        port_->attach();
        worker_.heed(*port_);
      });
      emit_("frontend.opened", {{"frontend", options_.name}});
      return;
    }
    if (!may_pass(opened.error(), last_error)) return;
  }
}

bool Frontend::may_pass(const Error& error, std::string& last) {
  if (std::unique_lock lock(mutex_); cancelled_) return false;
  const bool passes = error.code == Errc::disconnected || error.code == Errc::system;
  if (passes && error.message == last) return true;
  last = error.message;
  emit_(passes ? "frontend.retrying" : "frontend.failed",
        {{"frontend", options_.name}, {"error", error.message}});
  return passes;
}

void Frontend::close() {
  if (opener_.joinable()) {
    std::unique_lock lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
    // It may be about to wait for its backend, or already waiting: say so until it has noticed.
    while (!changed_.wait_for(lock, milliseconds(10), [this] { return finished_; }))
      interrupt_device(options_);
    lock.unlock();
    opener_.join();
  }
  std::unique_ptr<VirtioPort> port;
  worker_.run([&] {
    if (port_) {
      port_->leave();
      worker_.forget(*port_);
    }
    port = std::move(port_);
  });
}

}  // namespace testbed::load
