// Frontends on the real driver against a real backend, librte_vhost, in one process.
#include "emu/load/frontend.hpp"

#include <rte_cpuflags.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "core/base/unix_socket.hpp"
#include "emu/flow/service.hpp"
#include "emu/load/device.hpp"
#include "tests/unit/base/scratch.hpp"
#include "tests/unit/load/echo_backend.hpp"

using namespace testbed;
using namespace testbed::load;
using nlohmann::json;

namespace {

const std::string kMac[] = {"02:00:00:00:00:01", "02:00:00:01:00:01"};

// Two frontends f0 and f1 with a flow 1 from one to the other.
struct Pair {
  ~Pair() {
    for (auto& frontend : frontends) {
      worker.run([&] { (void)engine.remove_end(frontend->options().name); });
      frontend->close();
    }
  }
  std::vector<std::string> paths() const { return {scratch.file("f0"), scratch.file("f1")}; }

  void add(const json& change) {
    for (size_t i = 0; i < 2; ++i) {
      json params = {
          {"name", "f" + std::to_string(i)}, {"path", paths()[i]}, {"mac", kMac[i]}, {"max_frame", 9000}};
      params.update(change);
      const auto options = read_frontend(params);
      BOOST_REQUIRE_MESSAGE(options.has_value(), (options ? std::string() : options.error().message));
      static int devices = 0;
      frontends.push_back(std::make_unique<Frontend>(
          *options, "net_virtio_user_t" + std::to_string(devices++), worker,
          [this](const char* name, json fields) { note(name, std::move(fields)); }));
      worker.run(
          [&] { BOOST_REQUIRE(engine.add_end(options->name, *frontends.back(), options->mac).has_value()); });
    }
  }
  json call(const std::string& method, const json& params = json::object()) {
    for (auto& [known, handler] : service.methods())
      if (known == method) {
        const auto result = handler(params);
        BOOST_REQUIRE_MESSAGE(result.has_value(), method + ": " + (result ? "" : result.error().message));
        return *result;
      }
    BOOST_FAIL("no method " + method);
    return {};
  }
  void start_flow(json send) {
    json expect = {{"flow", 1}, {"frontend", "f1"}, {"mac", kMac[1]}, {"streams", 8}};
    if (send.contains("window")) expect["reply_to"] = kMac[0];
    send.update({{"flow", 1}, {"frontend", "f0"}, {"src", kMac[0]}, {"dst", kMac[1]}, {"streams", 8}});
    call("flow.expect", expect);
    call("flow.send", send);
    call("flow.start");
  }
  void note(std::string_view name, json fields) {
    const std::lock_guard lock(mutex);
    events.emplace_back(name, std::move(fields));
    changed.notify_all();
  }
  // Waits for an event, and forgets it and those before it.
  void expect_event(const std::string& name, const json& fields) {
    std::unique_lock lock(mutex);
    const bool came = changed.wait_for(lock, std::chrono::seconds(20), [&] {
      for (auto event = events.begin(); event != events.end(); ++event) {
        if (event->first != name || event->second != fields) continue;
        events.erase(event);
        return true;
      }
      return false;
    });
    BOOST_REQUIRE_MESSAGE(came, "no event " + name + " " + fields.dump());
  }
  void expect_link(bool up) {
    for (const char* name : {"f0", "f1"}) expect_event("frontend.link", {{"frontend", name}, {"up", up}});
  }
  void expect_received(uint64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (call("flow.counts")["1"]["received"].get<uint64_t>() < count) {
      BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline,
                            call("flow.counts").dump() + call("frontend.status").dump());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  json receiver() { return call("flow.report", {{"flow", 1}})["1"]["receiver"]; }

  Scratch scratch;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<std::string, json>> events;
  flow::FlowEngine engine{[this](std::string_view name, json fields) { note(name, std::move(fields)); }};
  Worker worker{engine, {}};
  flow::FlowService service{engine, [this](const std::function<void()>& work) { worker.run(work); }};
  std::vector<std::unique_ptr<Frontend>> frontends;
};

std::vector<json> ring_variants() {
  std::vector<json> variants;
  for (const char* ring : {"split", "packed"})
    for (const bool mergeable : {true, false})
      for (const bool in_order : {true, false})
        variants.push_back({{"ring", ring}, {"mergeable", mergeable}, {"in_order", in_order}});
  variants.push_back({{"ring", "split"}, {"mergeable", false}, {"in_order", false}, {"vectorized", true}});
  if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) == 1)
    variants.push_back({{"ring", "packed"}, {"mergeable", false}, {"in_order", true}, {"vectorized", true}});
  else
    BOOST_TEST_MESSAGE("skipped: packed vectorized rings, this CPU has no AVX512F");
  return variants;
}

const json kAllSizes = {{{"min", 60}, {"max", 1518}}, {{"min", 1519}, {"max", 9000}}};

}  // namespace

BOOST_AUTO_TEST_SUITE(frontend)

BOOST_AUTO_TEST_CASE(every_ring_variant_carries_frames_of_every_size_unharmed) {
  for (const json& variant : ring_variants()) {
    BOOST_TEST_CONTEXT(variant.dump()) {
      Pair pair;
      pair.add(variant);
      EchoBackend backend(pair.paths(), EchoBackend::Role::client);
      pair.expect_link(true);
      pair.start_flow({{"window", 32}, {"sizes", kAllSizes}});
      pair.expect_received(1000);
      const json report = pair.receiver();
      for (const char* key : {"lost", "duplicated", "reordered", "corrupted", "foreign"})
        BOOST_TEST(report[key] == 0, key);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_backend_that_leaves_and_returns_costs_packets_but_never_doubles_or_damages_one) {
  auto variants = ring_variants();
  variants.erase(variants.begin() + 5,
                 variants.begin() + 8);  // librte_vhost takes a second to return: one of each code path
  variants.erase(variants.begin() + 1, variants.begin() + 4);
  for (const json& variant : variants) {
    BOOST_TEST_CONTEXT(variant.dump()) {
      Pair pair;
      pair.add(variant);
      EchoBackend backend(pair.paths(), EchoBackend::Role::client);
      pair.expect_link(true);
      pair.start_flow({{"window", 64}});
      pair.expect_received(1000);
      backend.leave();
      pair.expect_link(false);
      backend.come();
      pair.expect_link(true);
      pair.expect_received(1000 + pair.receiver()["received"].get<uint64_t>());
      const json report = pair.receiver();
      for (const char* key : {"duplicated", "corrupted", "foreign"}) BOOST_TEST(report[key] == 0, key);
      BOOST_TEST(report["exact"] == true);
    }
  }
}

BOOST_AUTO_TEST_CASE(all_queues_of_a_frontend_carry_traffic) {
  Pair pair;
  pair.add({{"queues", 4}, {"max_frame", 1518}});
  EchoBackend backend(pair.paths(), EchoBackend::Role::client, 4);
  pair.expect_link(true);
  pair.start_flow({{"rate_pps", 20000}});
  pair.expect_received(2000);
  const json report = pair.receiver();
  BOOST_REQUIRE_EQUAL(report["queues"].size(), 4u);
  for (const auto& queue : report["queues"]) BOOST_TEST(queue.get<int>() > 100);
}

BOOST_AUTO_TEST_CASE(a_client_connects_when_its_backend_appears) {
  Pair pair;
  pair.add({{"role", "client"}});
  EchoBackend backend(pair.paths(), EchoBackend::Role::server);
  pair.expect_link(true);
  pair.start_flow({{"window", 32}});
  pair.expect_received(500);
}

BOOST_AUTO_TEST_CASE(a_frontend_that_waits_for_its_backend_can_be_closed) {
  for (const char* role : {"server", "client"}) {
    Pair pair;
    pair.add({{"role", role}});
  }  // its destruction would hang
}

BOOST_AUTO_TEST_CASE(a_socket_left_by_a_dead_process_is_replaced_and_a_live_one_is_left_alone) {
  Scratch scratch;
  const std::string path = scratch.file("s");
  auto live = listen_unix(path);
  BOOST_REQUIRE(live.has_value());
  const auto busy = clear_path(path);
  BOOST_REQUIRE(!busy.has_value());
  BOOST_TEST((busy.error().code == Errc::busy));
  live->reset();  // the file stays
  BOOST_TEST(clear_path(path).has_value());
  BOOST_TEST(!std::filesystem::exists(path));
}

BOOST_AUTO_TEST_SUITE_END()
