// What can go wrong with the dirty log. Which pages a burst wrote is seen from the log itself: what the
// datapath sets while it transmits is compared with what was set before.
#include <atomic>

#include "tests/sabotage/catalogue.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::sabotage {
namespace {

class SpoilLog : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  TxOutcome transmit(WorkerContext& worker, uint16_t queue, Packet* const* packets, uint16_t count) override {
    const auto shared = site().shared();
    const std::span<std::byte> bits = shared ? shared->log_bits() : std::span<std::byte>();
    before_.assign(bits.begin(), bits.end());
    const TxOutcome outcome = inner().transmit(worker, queue, packets, count);
    if (outcome.sent > 0 && !bits.empty()) spoil(bits, (shared->features & bit(wire::Feature::LOG_ALL)) != 0);
    return outcome;
  }

 protected:
  virtual void spoil(std::span<std::byte> bits, bool logging) = 0;
  // Calls `act` for every octet of the log in which bits were set.
  template <typename Act>
  void each_new(std::span<std::byte> bits, Act act) {
    for (size_t i = 0; i < bits.size(); ++i)
      if (const std::byte fresh = bits[i] & ~before_[i]; fresh != std::byte{0}) act(i, fresh);
  }
  static void clear(std::byte& octet, std::byte bits) {
    std::atomic_ref(reinterpret_cast<uint8_t&>(octet)).fetch_and(static_cast<uint8_t>(~bits));
  }
  static void set(std::byte& octet, std::byte bits) {
    std::atomic_ref(reinterpret_cast<uint8_t&>(octet)).fetch_or(static_cast<uint8_t>(bits));
  }

 private:
  std::vector<std::byte> before_;
};

class SkipLogBit final : public SpoilLog {
 public:
  using SpoilLog::SpoilLog;

 private:
  void spoil(std::span<std::byte> bits, bool) override {
    each_new(bits, [&](size_t at, std::byte fresh) {
      if (turn().now()) clear(bits[at], fresh);
    });
  }
};

// What a burst wrote is logged with the next burst, when the guest has long seen it; and one of them never.
class LogLate final : public SpoilLog {
 public:
  using SpoilLog::SpoilLog;

 private:
  struct Late {
    size_t at;
    std::byte bits;
  };
  void spoil(std::span<std::byte> bits, bool) override {
    std::vector<Late> late;
    each_new(bits, [&](size_t at, std::byte fresh) {
      clear(bits[at], fresh);
      if (!turn().now()) late.push_back({at, fresh});
    });
    std::swap(late, late_);
    for (const Late& one : late)
      if (one.at < bits.size()) set(bits[one.at], one.bits);
  }
  std::vector<Late> late_;
};

// The log stays mapped when the guest no longer wants one.
class LogUnasked final : public SpoilLog {
 public:
  using SpoilLog::SpoilLog;

 private:
  void spoil(std::span<std::byte> bits, bool logging) override {
    if (!logging && turn().now()) set(bits[bits.size() / 2], std::byte{1});
  }
};

constexpr Saboteur kSaboteurs[] = {
    {.what = "skip_log_bit", .does = "a page that was written is not logged", .port = port_of<SkipLogBit>},
    {.what = "log_late",
     .does = "pages are logged a burst after they were written, and one is forgotten",
     .port = port_of<LogLate>},
    {.what = "log_unasked",
     .does = "pages are logged when the guest has switched its log off",
     .port = port_of<LogUnasked>},
};

}  // namespace

std::span<const Saboteur> log_saboteurs() {
  return kSaboteurs;
}

}  // namespace testbed::sabotage
