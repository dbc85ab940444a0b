// One port of a sabotaged switch: its sessions, and what the present one shares.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <string>

#include "tests/sabotage/shared.hpp"
#include "vdev/gate/backend.hpp"

namespace testbed::sabotage {

class Site {
 public:
  explicit Site(std::string port) : port_(std::move(port)) {}
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  const std::string& port() const { return port_; }
  const std::atomic<uint64_t>& sessions() const { return sessions_; }
  // The control thread's loop; there from the port's making on.
  boost::asio::io_context* io = nullptr;

  // Any thread. nullptr: no session. A lock in hot code: what is sabotaged need not be fast.
  std::shared_ptr<const Shared> shared() const {
    const std::lock_guard lock(mutex_);
    return shared_;
  }

  // -- Control thread
  void session_began() { sessions_.fetch_add(1, std::memory_order_release); }
  void share(std::shared_ptr<const Shared> now) {
    const std::lock_guard lock(mutex_);
    shared_ = std::move(now);
  }

 private:
  const std::string port_;
  std::atomic<uint64_t> sessions_ = 0;
  mutable std::mutex mutex_;
  std::shared_ptr<const Shared> shared_;
};

// Passes everything on.
class BackendDecorator : public gate::Backend {
 public:
  explicit BackendDecorator(std::unique_ptr<gate::Backend> inner) : inner_(std::move(inner)) {}
  void submit(gate::Message request, Answer answer) override {
    inner_->submit(std::move(request), std::move(answer));
  }
  void on_lost(std::function<void(const Error&)> lost) override { inner_->on_lost(std::move(lost)); }

 protected:
  gate::Backend& inner() { return *inner_; }

 private:
  std::unique_ptr<gate::Backend> inner_;
};

// Next to the real back-end: tells the site what the messages say. Does nothing wrong itself.
class Tap final : public BackendDecorator {
 public:
  Tap(std::unique_ptr<gate::Backend> inner, Site& site);
  ~Tap() override;
  void submit(gate::Message request, Answer answer) override;

 private:
  Site& site_;
};

}  // namespace testbed::sabotage
