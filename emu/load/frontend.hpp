// A frontend from frontend.add to frontend.remove: it exists for its flows from the first moment, has a
// device once a backend is there, and keeps it for good: the driver (server role) survives backends coming
// and going by itself.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "emu/flow/transport.hpp"
#include "emu/load/frontend_options.hpp"
#include "emu/load/virtio_port.hpp"
#include "emu/load/worker.hpp"

namespace testbed::load {

class Frontend : public flow::Transport {
 public:
  // frontend.opened {frontend}, frontend.retrying {frontend, error}, frontend.failed {frontend, error}. From
  // any thread.
  using Emit = std::function<void(const char* name, nlohmann::json fields)>;

  // Starts to wait for its backend at once, on a thread of its own. `device` is the virtual device's name.
  Frontend(FrontendOptions options, std::string device, Worker& worker, Emit emit);
  ~Frontend() override { close(); }

  const FrontendOptions& options() const { return options_; }
  // Gives the device back. Blocks, without end when the backend does not answer. No flow uses this frontend
  // any more.
  void close();

  // -- Worker.
  uint16_t queues() const override { return options_.queues; }
  uint32_t max_frame() const override { return options_.max_frame; }
  bool link_up() const override { return port_ && port_->link_up(); }
  uint16_t reserve(uint16_t queue, flow::Frame* frames, uint16_t count) override {
    return port_ ? port_->reserve(queue, frames, count) : uint16_t{0};
  }
  uint16_t send(uint16_t queue, flow::Frame* frames, uint16_t count) override {
    return port_->send(queue, frames, count);
  }
  uint16_t receive(uint16_t queue, flow::Frame* frames, uint16_t count) override {
    return port_ ? port_->receive(queue, frames, count) : uint16_t{0};
  }
  void release(uint16_t queue, flow::Frame* frames, uint16_t count) override {
    port_->release(queue, frames, count);
  }

 private:
  void open_until_cancelled();
  bool may_pass(const Error& error, std::string& last);
  bool cancelled_within(std::chrono::milliseconds time);

  FrontendOptions options_;
  std::string device_;
  Worker& worker_;
  Emit emit_;
  std::unique_ptr<VirtioPort> port_;  // set and taken on the worker
  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false, finished_ = false;  // guarded by mutex_
  std::thread opener_;
};

}  // namespace testbed::load
