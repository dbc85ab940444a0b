// Passes everything from west to east and back, and writes what passes to a pcapng file. Options: `file`
// (relative to the program's directory, or absolute), `snap_length` (octets kept of a frame, 65535),
// `buffer_kb` (per worker, 4096).
//
// The packets come first: when the buffer is full or the disk does not take more, they pass unrecorded and
// `capture_missed` says how many.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/counter.hpp"
#include "core/bricks/pcapng.hpp"
#include "core/bricks/record_ring.hpp"
#include "core/graph/brick.hpp"
#include "core/graph/brick_factory.hpp"

namespace testbed {

class CaptureBrick final : public Brick {
 public:
  struct Settings {
    std::string file;
    uint32_t snap_length = 65535;
    size_t buffer_bytes = 4u << 20;
  };
  static Settings read(Options& options);
  static BrickType type();

  CaptureBrick(std::string name, Settings settings, PcapngWriter writer, uint16_t workers);
  // Writes what is still in the buffers.
  ~CaptureBrick() override;

  Result<Member> attach(const std::string& side, const std::string& peer) override;
  void detach(Member member) override;
  Result<void> configure(const nlohmann::json& options) override;
  nlohmann::json describe() const override;
  void process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
               Emitter& out) override;

 private:
  static constexpr Member kWest = 0, kEast = 1;

  struct Shard {
    explicit Shard(size_t buffer_bytes) : ring(buffer_bytes) {}
    RecordRing ring;
    Counter missed;  // dataplane: rw
  };

  void write_loop();
  // Moves what the workers recorded into the file. False: there was nothing.
  bool drain();
  void flush(uint64_t records);

  Settings settings_;
  PcapngWriter writer_;       // writer thread only
  std::deque<Shard> shards_;  // by worker
  std::array<bool, 2> taken_{};
  std::atomic<uint64_t> captured_ = 0, lost_ = 0;  // writer thread: rw
  mutable std::mutex mutex_;                       // of what follows
  std::string error_;
  bool stopping_ = false;
  std::condition_variable stop_;
  std::thread thread_;
};

}  // namespace testbed
