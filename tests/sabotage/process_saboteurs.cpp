// What can go wrong around the packets: waking up, stalling, answering, cleaning up.
#include <sys/eventfd.h>

#include "core/base/clock.hpp"
#include "core/base/fd.hpp"
#include "core/base/unix_socket.hpp"
#include "core/control/report.hpp"
#include "tests/sabotage/catalogue.hpp"
#include "tests/sabotage/relay.hpp"

namespace testbed::sabotage {
namespace {

// The worker falls asleep on a descriptor that nobody writes to.
class LoseKick final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  int arm(uint16_t queue) override {
    const int kick = inner().arm(queue);
    return kick >= 0 && turn().now() ? dead_.get() : kick;
  }

 private:
  const Fd dead_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

// The guest's interrupts pass through here, but for those that are lost.
class LoseCall final : public BackendDecorator {
 public:
  LoseCall(std::unique_ptr<gate::Backend> backend, Turn& turn, Site& site)
      : BackendDecorator(std::move(backend)), turn_(turn), site_(site) {}
  void submit(gate::Message request, Answer answer) override {
    if (request.is(wire::Request::SET_VRING_CALL) && !request.fds.empty()) {
      Fd ours(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
      relays_.push_back(std::make_unique<Relay>(
          *site_.io, Fd(::dup(ours.get())), std::move(request.fds.front()), [this] { return !turn_.now(); }));
      request.fds.front() = std::move(ours);
    }
    inner().submit(std::move(request), std::move(answer));
  }

 private:
  Turn& turn_;
  Site& site_;
  std::vector<std::unique_ptr<Relay>> relays_;
};

// When this port gets a session, the worker attends to nothing else for a while.
class StallOthers final : public PortDecorator {
 public:
  using PortDecorator::PortDecorator;
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    const uint64_t session = site().sessions().load(std::memory_order_acquire);
    if (session != std::exchange(session_, session) && turn().now()) {
      const uint64_t until = now_ns() + kStall_ns;
      while (now_ns() < until) {
      }
    }
    return inner().receive(worker, queue, packets);
  }

 private:
  static constexpr uint64_t kStall_ns = 400'000'000;
  uint64_t session_ = 0;
};

class LeaveSocket final : public PortDecorator {
 public:
  LeaveSocket(std::unique_ptr<Port> port, Turn& turn, Site& site)
      : PortDecorator(std::move(port), turn, site), path_(inner().describe().value("path", "")) {}
  ~LeaveSocket() override {
    end_inner();
    // The file outlives the descriptor.
    if (turn().now()) [[maybe_unused]]
      const auto left = listen_unix(path_);
  }

 private:
  const std::string path_;
};

void mute_counters(Process& process, Switch& control, Turn& turn) {
  process.rpc().async_method("counters", [&](const nlohmann::json&, const RpcServer::Reply& reply) {
    if (!turn.now()) reply(counters_document(control.graph(), control.domain()));
  });
}

constexpr Saboteur kSaboteurs[] = {
    {.what = "lose_kick", .does = "a sleeping switch does not notice a kick", .port = port_of<LoseKick>},
    {.what = "lose_call", .does = "the guest is not interrupted", .backend = backend_of<LoseCall>},
    {.what = "stall_others",
     .does = "while a port gets a session, the others wait",
     .port = port_of<StallOthers>},
    {.what = "leave_socket", .does = "a port's socket stays behind", .port = port_of<LeaveSocket>},
    {.what = "mute_counters", .does = "`counters` is not answered", .process = mute_counters},
};

}  // namespace

std::span<const Saboteur> process_saboteurs() {
  return kSaboteurs;
}

}  // namespace testbed::sabotage
