#include "tests/unit/core/fake_port.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/base/clock.hpp"
#include "core/graph/keep.hpp"

using namespace testbed;

FakePort::FakePort(std::string name, uint16_t queues) : Port(std::move(name)) {
  for (uint16_t q = 0; q < queues; ++q)
    queues_.emplace_back().kick = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  set_payload_reader(PayloadKind::guest,
                     [](const void* payload, uint32_t offset, std::byte* to, uint32_t length) {
                       std::memcpy(to, static_cast<const Frame*>(payload)->data() + offset, length);
                     });
}

FakePort::~FakePort() = default;

void FakePort::inject(const Frame& bytes, size_t copies, uint16_t queue) {
  Queue& q = queues_[queue];
  std::lock_guard lock(q.mutex);
  q.waiting.insert(q.waiting.end(), copies, bytes);
  if (!q.armed) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(q.kick.get(), &one, sizeof one);
}

std::vector<Frame> FakePort::collect() {
  std::lock_guard lock(mutex_);
  std::vector<Frame> frames;
  for (Sent& sent : std::exchange(collected_, {})) frames.push_back(std::move(sent.frame));
  return frames;
}

std::map<uint16_t, std::vector<Frame>> FakePort::collect_by_queue() {
  std::lock_guard lock(mutex_);
  std::map<uint16_t, std::vector<Frame>> frames;
  for (Sent& sent : std::exchange(collected_, {})) frames[sent.queue].push_back(std::move(sent.frame));
  return frames;
}

bool FakePort::wait_for(size_t frames, std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  return arrived_.wait_for(lock, deadline, [&] { return collected_.size() >= frames; });
}

size_t FakePort::backlog() {
  size_t waiting = 0;
  for (auto& queue : queues_) {
    std::lock_guard lock(queue.mutex);
    waiting += queue.waiting.size();
  }
  return waiting;
}

uint16_t FakePort::receive(WorkerContext& worker, uint16_t queue, Packet* packets) {
  if (put_off != nullptr) worker.after_round = put_off;
  Queue& q = queues_[queue];
  std::lock_guard lock(q.mutex);
  uint16_t count = 0;
  for (; count < kBurst && !q.waiting.empty(); ++count) {
    Frame& bytes = q.in_hand[count] = std::move(q.waiting.front());
    q.waiting.pop_front();
    const auto head = static_cast<uint16_t>(std::min<size_t>(bytes.size(), kHeadBytes));
    std::copy_n(bytes.begin(), head, q.heads[count].begin());
    packets[count] = {.head = q.heads[count].data(),
                      .payload = &bytes,
                      .length = static_cast<uint32_t>(bytes.size()),
                      .head_length = head,
                      .kind = PayloadKind::guest,
                      .flags = 0};
  }
  unreleased_ += count;
  return count;
}

void FakePort::release(WorkerContext& /*worker*/, uint16_t /*queue*/, Packet* /*packets*/, uint16_t count) {
  unreleased_ -= count;
}

TxOutcome FakePort::transmit(WorkerContext& /*worker*/, uint16_t lane, Packet* const* packets,
                             uint16_t count) {
  uint16_t taken = 0;
  const uint16_t most = lane % lanes() == frozen ? 0 : std::min<uint16_t>(count, room);
  while (taken < most && packets[taken]->length <= longest) ++taken;
  const bool too_big = taken < count && packets[taken]->length > longest;
  const auto out = static_cast<uint16_t>(lane % lanes());
  std::lock_guard lock(mutex_);
  for (uint16_t i = 0; i < taken; ++i) {
    Frame bytes(packets[i]->length);
    copy_frame(*packets[i], bytes.data(), packets[i]->length);
    collected_.push_back({out, std::move(bytes)});
  }
  sent_ += taken;
  last_sent_ns_ = now_ns();
  arrived_.notify_all();
  return {taken, out, too_big ? DropReason::too_big : DropReason::ring_full, too_big};
}

int FakePort::arm(uint16_t queue) {
  if (!can_kick) return kNap;
  Queue& q = queues_[queue];
  std::lock_guard lock(q.mutex);
  if (!q.waiting.empty()) return kReady;
  q.armed = true;
  return q.kick.get();
}

void FakePort::disarm(uint16_t queue) {
  Queue& q = queues_[queue];
  std::lock_guard lock(q.mutex);
  q.armed = false;
  uint64_t kicks;
  [[maybe_unused]] const ssize_t taken = ::read(q.kick.get(), &kicks, sizeof kicks);
}

PortFactories FakePorts::factories() {
  PortFactories all;
  all.add("fake", {.check =
                       [](Options& options) {
                         options.number("queues", 1, 1, 128);
                         options.text("path", "");
                         options.flag("fail", false);
                       },
                   .create = [this](const std::string& name, const nlohmann::json& options,
                                    PortEnvironment&) -> Result<std::unique_ptr<Port>> {
                     if (options.value("fail", false)) return fail(Errc::busy, "somebody else has it");
                     auto port = std::make_unique<FakePort>(name, options.value("queues", uint16_t{1}));
                     ports[name] = port.get();
                     return port;
                   }});
  return all;
}
