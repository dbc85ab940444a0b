// Queues that move between workers while packets come: none is lost, none overtakes another, and whatever a
// port keeps for a queue is handed over with it. Made for ThreadSanitizer, too: the port below has no lock
// and no atomic of its own where a worker owns something.
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "core/graph/keep.hpp"
#include "tests/unit/core/live.hpp"

using namespace testbed;
using nlohmann::json;

namespace {

// An endless source by every queue: frames that are numbered, as long as the test wants them.
class Source final : public Port {
 public:
  Source(std::string name, uint16_t queues) : Port(std::move(name)), lanes_(queues) {}

  std::atomic<bool> open = true;

  json describe() const override { return {{"type", "source"}, {"state", "up"}}; }
  uint16_t queues() const override { return static_cast<uint16_t>(lanes_.size()); }
  uint16_t receive(WorkerContext& worker, uint16_t queue, Packet* packets) override {
    if (!open.load(std::memory_order_relaxed)) return 0;
    Lane& lane = lanes_[queue];
    if (lane.worker != worker.id) ++lane.hands;
    lane.worker = worker.id;
    constexpr uint16_t kCount = 8;
    for (uint16_t i = 0; i < kCount; ++i) {
      auto& frame = lane.frames[i];
      frame = {};
      frame[11] = static_cast<std::byte>(queue + 1);  // who sends it
      const uint64_t number = lane.next++;
      std::memcpy(frame.data() + 16, &number, sizeof number);
      packets[i] = {.head = frame.data(),
                    .payload = frame.data(),
                    .length = static_cast<uint32_t>(frame.size()),
                    .head_length = static_cast<uint16_t>(frame.size()),
                    .kind = PayloadKind::memory,
                    .flags = 0};
    }
    return kCount;
  }
  void release(WorkerContext&, uint16_t, Packet*, uint16_t) override {}
  TxOutcome transmit(WorkerContext&, uint16_t, Packet* const*, uint16_t) override {
    return {0, 0, DropReason::port_down};
  }

  // When no worker runs.
  uint64_t sent(uint16_t queue) const { return lanes_[queue].next; }
  uint64_t hands() const {
    uint64_t all = 0;
    for (const Lane& lane : lanes_) all += lane.hands;
    return all;
  }

 private:
  struct Lane {
    uint64_t next = 0, hands = 0;
    uint16_t worker = 0xffff;
    std::array<std::array<std::byte, 64>, 8> frames{};
  };
  std::vector<Lane> lanes_;
};

// Looks whether the frames of each queue of the source come in the order of their numbers.
class Sink final : public Port {
 public:
  Sink(std::string name, size_t flows) : Port(std::move(name)), flows_(flows) {}

  json describe() const override { return {{"type", "sink"}, {"state", "up"}}; }
  uint16_t queues() const override { return 1; }
  uint16_t receive(WorkerContext&, uint16_t, Packet*) override { return 0; }
  void release(WorkerContext&, uint16_t, Packet*, uint16_t) override {}
  TxOutcome transmit(WorkerContext&, uint16_t, Packet* const* packets, uint16_t count) override {
    for (uint16_t i = 0; i < count; ++i) {
      Flow& flow = flows_[static_cast<size_t>(packets[i]->head[11]) - 1];
      uint64_t number;
      std::memcpy(&number, packets[i]->head + 16, sizeof number);
      if (number != flow.next) ++flow.out_of_order;
      flow.next = number + 1;
    }
    return {count, 0, DropReason::ring_full};
  }
  struct alignas(64) Flow {
    uint64_t next = 0, out_of_order = 0;
  };
  // When no worker runs.
  const Flow& flow(size_t queue) const { return flows_[queue]; }

 private:
  std::vector<Flow> flows_;
};

constexpr uint16_t kQueues = 4;

struct Moving {
  explicit Moving(uint16_t workers)
      : live(workers, [this](PortFactories& types) {
          types.add("source", type([this] { return std::make_unique<Source>("in", kQueues); }, source));
          types.add("sink", type([] { return std::make_unique<Sink>("out", kQueues); }, sink));
        }) {}

  template <typename Made, typename Kept>
  static PortType type(Made made, Kept*& kept) {
    return {.check = [](Options&) {},
            .create = [made, &kept](const std::string&, const json&,
                                    PortEnvironment&) -> Result<std::unique_ptr<Port>> {
              auto port = made();
              kept = port.get();
              return port;
            }};
  }
  static json document(const json& workers, const std::string& policy = "pinned") {
    return {{"assignment", policy},
            {"rebalance_ms", 100},
            {"ports", {{"in", {{"type", "source"}, {"workers", workers}}}, {"out", {{"type", "sink"}}}}},
            {"edges", json::array({json::array({"in", "out"})})}};
  }
  // Ends the traffic, then asks the ends.
  void check() {
    source->open = false;
    live.domain->stop();
    for (uint16_t queue = 0; queue < kQueues; ++queue) {
      BOOST_TEST(source->sent(queue) > 0u);
      BOOST_TEST(sink->flow(queue).next == source->sent(queue));
      BOOST_TEST(sink->flow(queue).out_of_order == 0u);
    }
    BOOST_TEST(Live::eventually([&] { return live.balanced(); }));
    BOOST_TEST(live.totals().dropped == 0u);
  }

  Source* source = nullptr;
  Sink* sink = nullptr;
  Live live;
};

uint64_t received(Live& live) {
  return live.totals().received;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(moving)

BOOST_AUTO_TEST_CASE(queues_that_move_under_load_lose_nothing_and_keep_their_order) {
  Moving moving(3);
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    moving.live.apply(Moving::document({round % 3, (round + 1) % 3, (round / 2) % 3}));
    const uint64_t before = received(moving.live);
    BOOST_REQUIRE(Live::eventually([&] { return received(moving.live) > before; }));
  }
  moving.check();
  BOOST_TEST(moving.source->hands() > unsigned{kRounds});
  const auto moved = moving.live.events_named("queue.moved");
  BOOST_TEST(moved.size() > unsigned{kRounds});
  BOOST_TEST(moved.front()["port"] == "in");
  BOOST_TEST(moved.front()["from"] != moved.front()["to"]);
}

BOOST_AUTO_TEST_CASE(a_queue_that_moves_while_both_workers_sleep_wakes_its_new_one) {
  Live live(2);
  const auto document = [](int worker) {
    json all = lan_of(2);
    all["ports"]["p0"]["workers"] = {worker};
    all["ports"]["p1"]["workers"] = {0};
    return all;
  };
  for (int round = 0; round < 20; ++round) {
    live.apply(document(round % 2));
    BOOST_REQUIRE(Live::eventually([&] { return live.all_sleep(); }));
    live.ports["p0"].inject(frame(kBroadcast, station(1)));
    BOOST_REQUIRE(live.ports["p1"].wait_for(1, std::chrono::seconds(10)));
    live.ports["p1"].collect();
  }
  BOOST_TEST(Live::eventually([&] { return live.balanced(); }));  // a packet is there before it is counted
}

BOOST_AUTO_TEST_CASE(what_one_worker_cannot_carry_is_shared_by_measured_cycles) {
  Moving moving(2);
  moving.live.apply(Moving::document({0}));
  BOOST_REQUIRE(Live::eventually([&] { return received(moving.live) > 1000; }));
  json all_free = Moving::document({0}, "cycles");
  all_free["ports"]["in"].erase("workers");
  moving.live.apply(all_free);
  const auto first = moving.live.domain->owners()["in"];
  BOOST_TEST(std::ranges::count(first, 0) == kQueues);  // until something was measured
  const auto shared = [&] {
    moving.live.domain->rebalance();
    const auto owners = moving.live.domain->owners()["in"];
    const auto moved = std::ranges::count(owners, 1);
    return moved > 0 && moved < kQueues;
  };
  BOOST_TEST(Live::eventually([&] {
    const uint64_t before = received(moving.live);
    return Live::eventually([&] { return received(moving.live) > before + 1000; }) && shared();
  }));
  moving.check();
}

BOOST_AUTO_TEST_CASE(cycles_are_counted_for_the_queue_they_were_spent_on) {
  Moving moving(1);
  moving.live.apply(Moving::document({0}));
  BOOST_REQUIRE(Live::eventually([&] { return received(moving.live) > 10'000; }));
  moving.check();
  const json counters = counters_document(moving.live.control->graph(), *moving.live.domain);
  uint64_t all = 0;
  for (const json& queue : counters["ports"]["in"]["queues"]) {
    BOOST_TEST(queue["busy_cycles"].get<uint64_t>() > 0u);
    BOOST_TEST(queue["worker"] == 0);
    all += queue["busy_cycles"].get<uint64_t>();
  }
  BOOST_TEST(counters["ports"]["out"]["queues"][0]["busy_cycles"] == 0);  // nothing came in there
  const json worker = moving.live.domain->status()[0];
  BOOST_TEST(all <= worker["busy_cycles"].get<uint64_t>());
  BOOST_TEST(worker["queues"].size() == kQueues + 1u);
}

BOOST_AUTO_TEST_SUITE_END()
