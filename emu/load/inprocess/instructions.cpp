// testbed-instructions: a fixed number of packets through the switch, polled by this thread in fixed bursts,
// so that callgrind counts the same instructions every time (--toggle-collect=measured_poll). Two virtio_user
// frontends, two vhost ports on a learning switch, everything in one process and no worker thread: nothing
// depends on who runs when.
//
// Prints {"packets", "datapath", "ring", "size", "compiler", "dpdk"}: what was counted for, and what else the
// count depends on. Exit status: 0, 1 something failed, 3 this build does not have the datapath.
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_version.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <filesystem>
#include <future>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <thread>

#include "core/base/clock.hpp"
#include "core/base/eal.hpp"
#include "core/bricks/register.hpp"
#include "core/control/switch.hpp"
#include "core/worker/worker_domain.hpp"
#include "emu/load/virtio_port.hpp"
#include "vdev/ports.hpp"

using namespace testbed;
using nlohmann::json;

namespace {

constexpr int kFailed = 1, kLacking = 3;
constexpr uint32_t kWarmUp = 50;
constexpr std::chrono::seconds kPatience{60};
constexpr uint16_t kFrames = 32;  // in each direction, between two polls

struct Asked {
  std::string directory = ".", datapath = "library", ring = "split";
  uint16_t size = 64;
  uint32_t rounds = 200;
};

struct NotSupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

// The switch without its workers; its control thread answers the frontends while the main thread polls.
class PolledSwitch {
 public:
  explicit PolledSwitch(const Asked& asked)
      : settings_{.datapath = asked.datapath},
        domain_(value_of(WorkerDomain::create({.workers = 1}, events_))),
        environment_{io_, events_, *domain_, 1, domain_->pools(), asked.directory, asked.datapath},
        bricks_{events_, 1, asked.directory} {
    register_ports(types_);
    control_ =
        std::make_unique<Switch>(settings_, *domain_, environment_, bricks_, types_, brick_factories());
    thread_ = std::thread([this] { io_.run(); });
    const auto port = [&](const char* name) {
      return json{
          {"type", "vhost"}, {"role", "server"}, {"path", asked.directory + "/" + name}, {"to", "lan"}};
    };
    const json document = {{"datapath", asked.datapath},
                           {"bricks", {{"lan", {{"type", "switch"}}}}},
                           {"ports", {{"p0", port("p0")}, {"p1", port("p1")}}}};
    on_control([&] {
      if (auto applied = control_->apply(document); !applied) refusal_ = applied.error().message;
    });
  }
  ~PolledSwitch() {
    on_control([this] { control_.reset(); });
    guard_.reset();
    io_.stop();
    thread_.join();
  }
  PolledSwitch(const PolledSwitch&) = delete;
  PolledSwitch& operator=(const PolledSwitch&) = delete;

  const std::string& refusal() const { return refusal_; }
  Executor& executor() { return domain_->executor(0); }
  rte_mempool* pool() const { return domain_->pools().front(); }

 private:
  void on_control(const std::function<void()>& act) {
    std::packaged_task<void()> task(act);
    auto done = task.get_future();
    boost::asio::post(io_, [&task] { task(); });
    done.get();
  }

  StartSettings settings_;
  EventLog events_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{io_.get_executor()};
  std::unique_ptr<WorkerDomain> domain_;
  PortEnvironment environment_;
  BrickEnvironment bricks_;
  PortFactories types_;
  std::string refusal_;
  std::unique_ptr<Switch> control_;
  std::thread thread_;
};

std::unique_ptr<load::VirtioPort> connect(const Asked& asked, int number) {
  load::FrontendOptions options;
  options.name = "f" + std::to_string(number);
  options.path = asked.directory + "/p" + std::to_string(number);
  options.role = load::Role::client;
  options.packed = asked.ring == "packed";
  options.mac = flow::Mac{{2, 0, 0, static_cast<uint8_t>(number), 0, 1}};
  return value_of(load::VirtioPort::open(options, "net_virtio_user" + std::to_string(number)));
}

rte_mbuf* make_frame(rte_mempool* pool, uint16_t size, int from) {
  rte_mbuf* frame = rte_pktmbuf_alloc(pool);
  if (!frame) throw std::runtime_error("no memory for a frame");
  auto* octets = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(frame, size));
  std::fill_n(octets, size, uint8_t{0});
  const std::array<uint8_t, 14> header = {
      2, 0, 0, static_cast<uint8_t>(1 - from), 0, 1, 2, 0, 0, static_cast<uint8_t>(from), 0, 1, 0x88, 0xb6};
  std::copy(header.begin(), header.end(), octets);
  return frame;
}

void send(const load::VirtioPort& port, uint16_t size, int from) {
  std::array<rte_mbuf*, kFrames> frames;
  for (auto& frame : frames) frame = make_frame(port.send_pool(), size, from);
  if (rte_eth_tx_burst(port.ethdev(), 0, frames.data(), kFrames) != kFrames)
    throw std::runtime_error("the ring was full");
}

uint16_t receive(const load::VirtioPort& port) {
  std::array<rte_mbuf*, 2 * kFrames> frames;
  const uint16_t count = rte_eth_rx_burst(port.ethdev(), 0, frames.data(), frames.size());
  rte_pktmbuf_free_bulk(frames.data(), count);
  return count;
}

}  // namespace

// What callgrind counts: by name, so not inlined and not mangled.
extern "C" __attribute__((noinline)) uint32_t measured_poll(Executor& executor, WorkerContext& worker) {
  return executor.poll(worker).packets;
}

namespace {

// The last messages of a handshake may still be under way: until the first frames have come through.
void settle(PolledSwitch& polled, WorkerContext& worker, const load::VirtioPort& a,
            const load::VirtioPort& b) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (int arrived = 0; arrived < 2 * kFrames; arrived += receive(a) + receive(b)) {
    polled.executor().poll(worker);
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("no frame came through");
  }
}

uint64_t count_packets(const Asked& asked, PolledSwitch& polled) {
  const auto a = connect(asked, 0), b = connect(asked, 1);
  WorkerContext worker{.id = 0, .pool = polled.pool(), .now_ns = now_ns()};
  uint64_t packets = 0;
  for (uint32_t round = 0; round < kWarmUp + asked.rounds; ++round) {
    send(*a, asked.size, 0);
    send(*b, asked.size, 1);
    if (round < kWarmUp) {
      settle(polled, worker, *a, *b);
      continue;
    }
    const uint32_t passed = measured_poll(polled.executor(), worker);
    const int arrived = receive(*a) + receive(*b);
    if (passed != 2 * kFrames || arrived != 2 * kFrames)
      throw std::runtime_error("of " + std::to_string(2 * kFrames) + " frames " + std::to_string(passed) +
                               " were switched and " + std::to_string(arrived) + " arrived");
    packets += passed;
  }
  return packets;
}

int run(const Asked& asked, const char* program) {
  const EalOptions eal = {.program = program,
                          .file_prefix = "tb-instructions-" + std::to_string(::getpid()),
                          .runtime_dir = asked.directory,
                          .memory_mb = 64,
                          // The same code on every CPU.
                          .extra = {"--force-max-simd-bitwidth=128", "--log-level=*:critical"}};
  if (auto started = start_eal(eal); !started) throw std::runtime_error(started.error().message);
  PolledSwitch polled(asked);
  if (!polled.refusal().empty()) throw NotSupported(polled.refusal());
  const json result = {{"packets", count_packets(asked, polled)},
                       {"datapath", asked.datapath},
                       {"ring", asked.ring},
                       {"size", asked.size},
                       {"compiler", __VERSION__},
                       {"dpdk", rte_version()}};
  std::cout << result.dump() << std::endl;
  std::_Exit(0);  // the frontends' farewell is not what is counted
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("testbed-instructions: a fixed number of packets through the switch, for callgrind to count");
  Asked asked;
  app.add_option("--dir", asked.directory, "where sockets go; absolute, there");
  app.add_option("--datapath", asked.datapath, "library or ring");
  app.add_option("--ring", asked.ring, "split or packed")->check(CLI::IsMember({"split", "packed"}));
  app.add_option("--size", asked.size, "octets of a frame")->check(CLI::Range(60, 1514));
  app.add_option("--rounds", asked.rounds, "bursts of 32 in each direction that are counted");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(asked, argv[0]);
  } catch (const NotSupported& why) {
    std::cerr << "testbed-instructions: " << why.what() << '\n';
    std::_Exit(kLacking);
  } catch (const std::exception& error) {
    std::cerr << "testbed-instructions: " << error.what() << '\n';
    std::_Exit(kFailed);
  }
}
