// A port that lives in a test: frames are injected and collected by the test's thread while workers poll it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "core/base/fd.hpp"
#include "core/graph/port.hpp"
#include "core/graph/port_factory.hpp"
#include "tests/unit/core/frames.hpp"

class FakePort final : public testbed::Port {
 public:
  explicit FakePort(std::string name, uint16_t queues = 1);
  ~FakePort() override;

  // -- The test.
  // Puts frames where the next receive() finds them, and kicks when the queue is armed.
  void inject(const Frame& bytes, size_t copies = 1, uint16_t queue = 0);
  std::vector<Frame> collect();
  // The same by the queue they left by.
  std::map<uint16_t, std::vector<Frame>> collect_by_queue();
  bool wait_for(size_t frames, std::chrono::milliseconds deadline);
  // How many frames of a burst transmit() takes; the rest is dropped as ring_full.
  std::atomic<uint16_t> room = testbed::kBurst;
  std::atomic<size_t> longest =
      SIZE_MAX;                  // what is longer is refused as too_big; the frames behind it are taken
  std::atomic<int> frozen = -1;  // a queue that takes nothing
  // How many of the queues transmit() chooses from; 0: all.
  std::atomic<uint16_t> enabled = 0;
  std::atomic<bool> can_kick = true;  // false: arm() answers kNap
  size_t unreleased() const { return unreleased_; }
  uint64_t sent() const { return sent_; }
  size_t backlog();
  // When the last frame was sent, CLOCK_MONOTONIC.
  uint64_t last_sent_ns() const { return last_sent_ns_; }

  nlohmann::json describe() const override { return {{"type", "fake"}, {"state", "up"}}; }
  uint16_t queues() const override { return static_cast<uint16_t>(queues_.size()); }
  void disconnect() override { ++disconnects; }
  uint16_t receive(testbed::WorkerContext& worker, uint16_t queue, testbed::Packet* packets) override;
  void release(testbed::WorkerContext& worker, uint16_t queue, testbed::Packet* packets,
               uint16_t count) override;
  uint16_t lanes() const override { return enabled ? enabled.load() : queues(); }
  testbed::TxOutcome transmit(testbed::WorkerContext& worker, uint16_t lane, testbed::Packet* const* packets,
                              uint16_t count) override;
  int arm(uint16_t queue) override;
  void disarm(uint16_t queue) override;

  std::atomic<int> disconnects = 0;
  testbed::AfterRound* put_off = nullptr;  // with every look at a queue

 private:
  struct Queue {
    std::mutex mutex;
    std::deque<Frame> waiting;
    std::array<Frame, testbed::kBurst> in_hand;
    std::array<std::array<std::byte, testbed::kHeadBytes>, testbed::kBurst> heads;
    testbed::Fd kick;
    bool armed = false;
  };

  std::deque<Queue> queues_;
  std::atomic<size_t> unreleased_ = 0;
  std::atomic<uint64_t> sent_ = 0, last_sent_ns_ = 0;
  std::mutex mutex_;  // of collected_
  std::condition_variable arrived_;
  struct Sent {
    uint16_t queue;
    Frame frame;
  };
  std::vector<Sent> collected_;
};

// Registers the type "fake" {"queues", "path", "fail": true (creation fails)}. Ports are found in `ports`
// while they live.
struct FakePorts {
  testbed::PortFactories factories();
  std::map<std::string, FakePort*> ports;
  FakePort& operator[](const std::string& name) { return *ports.at(name); }
};
