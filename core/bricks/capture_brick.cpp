#include "core/bricks/capture_brick.hpp"

#include <bit>
#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>

#include "core/base/clock.hpp"
#include "core/graph/emitter.hpp"
#include "core/graph/keep.hpp"

namespace testbed {
namespace {

constexpr auto kIdlePause =
    std::chrono::milliseconds(10);  // how late an idle capture may see the first record
constexpr size_t kBatchBytes = 256u << 10;

}  // namespace

CaptureBrick::Settings CaptureBrick::read(Options& options) {
  Settings settings;
  settings.file = options.text("file");
  settings.snap_length = static_cast<uint32_t>(options.number("snap_length", 65535, 14, 65535));
  settings.buffer_bytes = std::bit_ceil(options.number("buffer_kb", 4096, 128, 1u << 20)) << 10;
  options.done();
  return settings;
}

BrickType CaptureBrick::type() {
  return {.sides = {"west", "east"},
          .check = [](Options& options, const std::set<std::string>&) { read(options); },
          .create = [](const std::string& name, const nlohmann::json& document,
                       BrickEnvironment& environment) -> Result<std::unique_ptr<Brick>> {
            Mistakes mistakes;
            Options options(document, "bricks." + name, mistakes);
            Settings settings = read(options);
            if (!mistakes.empty()) return fail(std::move(mistakes));
            const auto path = std::filesystem::path(environment.directory) / settings.file;
            auto writer =
                PcapngWriter::open(path.string(), {name + ".west", name + ".east"}, settings.snap_length);
            if (!writer) return tl::unexpected(writer.error());
            return std::make_unique<CaptureBrick>(name, std::move(settings), std::move(*writer),
                                                  environment.workers);
          }};
}

CaptureBrick::CaptureBrick(std::string name, Settings settings, PcapngWriter writer, uint16_t workers)
    : Brick(std::move(name)), settings_(std::move(settings)), writer_(std::move(writer)) {
  for (uint16_t i = 0; i < workers; ++i) shards_.emplace_back(settings_.buffer_bytes);
  thread_ = std::thread([this] { write_loop(); });
}

CaptureBrick::~CaptureBrick() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_one();
  thread_.join();
}

// -- Hot

void CaptureBrick::process(WorkerContext& worker, Member from, Packet* const* packets, uint16_t count,
                           Emitter& out) {
  Shard& shard = shards_[worker.id];
  const uint64_t t_ns = now_ns();
  uint16_t recorded = 0;
  for (; recorded < count; ++recorded) {
    const Packet& packet = *packets[recorded];
    const uint32_t captured = std::min(packet.length, settings_.snap_length);
    RecordHeader* record = shard.ring.reserve(captured);
    if (!record) break;
    copy_frame(packet, record->data(), captured);
    record->original = packet.length;
    record->interface = from;
    record->t_ns = t_ns;
    shard.ring.commit();
  }
  if (recorded < count) shard.missed.add(static_cast<uint64_t>(count - recorded));
  out.forward(packets, count, from == kWest ? kEast : kWest);
}

// -- Writer thread

void CaptureBrick::write_loop() {
  flush(0);  // the file's head
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const bool busy = drain();
    lock.lock();
    if (!busy && !stopping_) stop_.wait_for(lock, kIdlePause);
  }
  lock.unlock();
  while (drain()) {
  }
}

bool CaptureBrick::drain() {
  uint64_t records = 0;
  for (auto& shard : shards_) {
    while (const RecordHeader* record = shard.ring.front()) {
      writer_.add(record->interface, record->t_ns, record->data(), record->captured, record->original);
      shard.ring.pop();
      ++records;
      if (writer_.pending_bytes() < kBatchBytes) continue;
      flush(records);
      return true;
    }
  }
  if (records > 0) flush(records);
  return records > 0;
}

void CaptureBrick::flush(uint64_t records) {
  const auto done = writer_.flush();
  (done ? captured_ : lost_).fetch_add(records, std::memory_order_relaxed);
  if (done) return;
  std::lock_guard lock(mutex_);
  error_ = done.error().message;
}

// -- Cold

Result<Member> CaptureBrick::attach(const std::string& side, const std::string& /*peer*/) {
  const Member member = side == "west" ? kWest : kEast;
  if ((side != "west" && side != "east") || taken_[member])
    return fail(Errc::invalid_argument, "brick " + name() + " has no free side " + side);
  taken_[member] = true;
  return member;
}

void CaptureBrick::detach(Member member) {
  taken_[member] = false;
}

Result<void> CaptureBrick::configure(const nlohmann::json& /*options*/) {
  return fail(Errc::unsupported, "another file or buffer needs a new writer");
}

nlohmann::json CaptureBrick::describe() const {
  uint64_t missed = lost_.load(std::memory_order_relaxed);
  for (const auto& shard : shards_) missed += shard.missed.get();
  nlohmann::json all = {{"type", "capture"},
                        {"file", settings_.file},
                        {"captured", captured_.load()},
                        {"capture_missed", missed}};
  std::lock_guard lock(mutex_);
  if (!error_.empty()) all["last_error"] = error_;
  return all;
}

}  // namespace testbed
