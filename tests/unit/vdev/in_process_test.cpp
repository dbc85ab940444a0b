// Vhost ports and virtio_user frontends in one process: real librte_vhost, real driver, workers that run.
// Without hugepages.
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "core/base/eal.hpp"
#include "core/bricks/register.hpp"
#include "core/control/switch.hpp"
#include "core/worker/worker_domain.hpp"
#include "tests/unit/base/scratch.hpp"
#include "vdev/ports.hpp"

using namespace testbed;

namespace {

// EAL starts once in a process.
struct Eal {
  Eal() {
    const auto started = start_eal({.program = "test_vdev",
                                    .file_prefix = "test-vdev-" + std::to_string(::getpid()),
                                    .runtime_dir = scratch.path,
                                    .memory_mb = 96});
    BOOST_REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
    pool = rte_pktmbuf_pool_create("frontends", 4096, 64, 0, 2176, SOCKET_ID_ANY);
    BOOST_REQUIRE(pool != nullptr);
  }
  Scratch scratch;
  rte_mempool* pool = nullptr;
};

Eal& eal() {
  static Eal once;
  return once;
}

// A hub with two vhost ports, its control thread apart: the driver's handshake blocks the test's.
struct Rig {
  Rig()
      : domain(make_domain()), environment{io, events, *domain, 1, domain->pools(), scratch.path, "library"} {
    register_ports(types);
    control = std::make_unique<Switch>(settings, *domain, environment, bricks, types, brick_factories());
    BOOST_REQUIRE(domain->start().has_value());
    thread = std::thread([this] { io.run(); });
    const bool applied = on_control([this] {
      return control
          ->apply(
              {{"bricks", {{"hub", {{"type", "hub"}}}}}, {"ports", {{"p0", port("p0")}, {"p1", port("p1")}}}})
          .has_value();
    });
    BOOST_REQUIRE(applied);
  }
  ~Rig() {
    domain->stop();
    on_control([this] {
      control.reset();
      return true;
    });
    guard.reset();
    io.stop();
    thread.join();
  }
  std::unique_ptr<WorkerDomain> make_domain() {
    eal();
    auto made = WorkerDomain::create({.workers = 1}, events);
    BOOST_REQUIRE(made.has_value());
    return std::move(*made);
  }
  nlohmann::json port(const std::string& name) const {
    return {{"type", "vhost"}, {"role", "server"}, {"path", scratch.file(name)}, {"to", "hub"}};
  }
  bool on_control(std::function<bool()> act) {
    std::packaged_task<bool()> task(std::move(act));
    auto done = task.get_future();
    boost::asio::post(io, [&task] { task(); });
    return done.get();
  }
  size_t count(const std::string& name) const {
    size_t found = 0;
    for (const auto& event : events.since(1)) found += event["name"] == name ? 1 : 0;
    return found;
  }

  Scratch scratch;
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  EventLog events;
  StartSettings settings{.workers = 1};
  std::unique_ptr<WorkerDomain> domain;
  PortEnvironment environment;
  BrickEnvironment bricks{events, 1, scratch.path};
  PortFactories types;
  std::unique_ptr<Switch> control;
  std::thread thread;
};

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// A virtio_user device as the client of a port's socket.
class Guest {
 public:
  Guest(const std::string& name, const std::string& path, const std::string& options) : name_(name) {
    const std::string arguments = name + ",path=" + path + ",queues=1,queue_size=256" + options;
    BOOST_REQUIRE_EQUAL(rte_dev_probe(arguments.c_str()), 0);
    BOOST_REQUIRE_EQUAL(rte_eth_dev_get_port_by_name(name.c_str(), &id_), 0);
    const rte_eth_conf conf{};
    BOOST_REQUIRE_EQUAL(rte_eth_dev_configure(id_, 1, 1, &conf), 0);
    BOOST_REQUIRE_EQUAL(rte_eth_rx_queue_setup(id_, 0, 256, SOCKET_ID_ANY, nullptr, eal().pool), 0);
    BOOST_REQUIRE_EQUAL(rte_eth_tx_queue_setup(id_, 0, 256, SOCKET_ID_ANY, nullptr), 0);
    BOOST_REQUIRE_EQUAL(rte_eth_dev_start(id_), 0);
  }
  ~Guest() {
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(id_, &info);
    rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
    if (info.device != nullptr) rte_dev_remove(info.device);
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  // Sends one frame of `length` octets whose last says `mark`.
  bool send(uint16_t length, uint8_t mark) {
    rte_mbuf* frame = rte_pktmbuf_alloc(eal().pool);
    auto* bytes = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(frame, length));
    std::fill_n(bytes, length, uint8_t{2});
    bytes[length - 1] = mark;
    if (rte_eth_tx_burst(id_, 0, &frame, 1) == 1) return true;
    rte_pktmbuf_free(frame);
    return false;
  }
  // The next frame, as {length, mark}.
  std::optional<std::pair<uint32_t, uint8_t>> receive() {
    rte_mbuf* frame = nullptr;
    if (rte_eth_rx_burst(id_, 0, &frame, 1) == 0) return std::nullopt;
    const std::pair<uint32_t, uint8_t> got{frame->pkt_len,
                                           *rte_pktmbuf_mtod_offset(frame, uint8_t*, frame->pkt_len - 1)};
    rte_pktmbuf_free(frame);
    return got;
  }

 private:
  std::string name_;
  uint16_t id_ = 0;
};

void exchange(const std::string& options) {
  Rig rig;
  {
    Guest a("net_virtio_user0", rig.scratch.file("p0"), options);
    Guest b("net_virtio_user1", rig.scratch.file("p1"), options);
    BOOST_REQUIRE(eventually([&] { return rig.count("session.up") == 2; }));
    // More than three times round the rings, in order and whole.
    for (int i = 0; i < 1000; ++i) {
      const auto length = static_cast<uint16_t>(60 + i % 1440);
      BOOST_REQUIRE(eventually([&] { return a.send(length, static_cast<uint8_t>(i)); }));
      std::optional<std::pair<uint32_t, uint8_t>> got;
      BOOST_REQUIRE(eventually([&] { return (got = b.receive()).has_value(); }));
      BOOST_REQUIRE_EQUAL(got->first, length);
      BOOST_REQUIRE_EQUAL(got->second, static_cast<uint8_t>(i));
    }
    BOOST_TEST(eventually([&] { return rig.count("session.first_packet") >= 1; }));
  }
  BOOST_TEST(eventually([&] { return rig.count("session.down") == 2; }));
  BOOST_TEST(eventually([] { return rte_mempool_in_use_count(eal().pool) == 0; }));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(in_process)

BOOST_AUTO_TEST_CASE(split_rings_carry_frames_whole_and_in_order) {
  exchange("");
}
BOOST_AUTO_TEST_CASE(packed_rings_carry_frames_whole_and_in_order) {
  exchange(",packed_vq=1,mrg_rxbuf=1,in_order=0");
}
BOOST_AUTO_TEST_CASE(packed_in_order_rings_carry_frames_whole_and_in_order) {
  exchange(",packed_vq=1,in_order=1,mrg_rxbuf=0");
}

BOOST_AUTO_TEST_SUITE_END()
