#include "emu/bench/loop_app.hpp"

#include <rte_cycles.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace testbed::bench {

using nlohmann::json;

LoopApp::LoopApp(Process& process, std::optional<unsigned> cpu) : process_(process), cpu_(cpu) {
  process_.rpc().async_method(
      "circulate.start", [this](const json& params, const RpcServer::Reply& reply) { start(params, reply); });
  process_.rpc().method("circulate.counts", [this](const json&) { return counts(); });
  process_.rpc().method("circulate.stop", [this](const json&) { return stop(); });
}

// Connecting blocks until the backend has answered, so it is done elsewhere; the rest happens on the loop.
void LoopApp::start(const json& params, const RpcServer::Reply& reply) {
  auto options = read_loop(params);
  if (!options) return reply(tl::unexpected(options.error()));
  if (std::exchange(asked_, true)) return reply(fail(Errc::already_exists, "frames go round already"));
  std::thread([this, options = std::move(*options), reply,
               guard = boost::asio::make_work_guard(process_.io())] {
    auto ends = std::make_shared<Ends>(Ends{options, {}});
    Result<void> opened;
    for (size_t i = 0; i < 2 && opened; ++i) {
      auto port = load::VirtioPort::open(options.frontends[i], "net_virtio_user" + std::to_string(i));
      if (port)
        ends->ports[i] = std::move(*port);
      else
        opened = tl::unexpected(port.error());
    }
    boost::asio::post(process_.io(), [this, reply, opened, ends] {
      if (!opened) return reply(tl::unexpected(opened.error()));
      circulate(std::move(*ends));
      reply(json::object());
    });
  }).detach();
}

void LoopApp::circulate(Ends ends) {
  ends_ = std::move(ends);
  const auto direction = [this](size_t from, size_t to) {
    return Direction{.out = ends_.ports[from]->ethdev(),
                     .in = ends_.ports[to]->ethdev(),
                     .out_pool = ends_.ports[from]->send_pool(),
                     .in_pool = ends_.ports[to]->send_pool(),
                     .source = ends_.options.frontends[from].mac,
                     .destination = ends_.options.frontends[to].mac};
  };
  std::vector<Direction> directions = {direction(0, 1)};
  if (ends_.options.both_ways) directions.push_back(direction(1, 0));
  circulation_ = std::make_unique<Circulation>(std::move(directions), ends_.options.shape);
  circulation_->start(cpu_);
}

Result<json> LoopApp::counts() const {
  if (!circulation_) return fail(Errc::not_found, "nothing goes round; circulate.start begins it");
  const Circulation::Counts counts = circulation_->counts();
  return json{{"tsc", rte_rdtsc()},      {"tsc_hz", rte_get_tsc_hz()}, {"packets", counts.packets},
              {"bursts", counts.bursts}, {"polls", counts.polls},      {"busy_cycles", counts.busy_cycles},
              {"odd", counts.odd},       {"refills", counts.refills}};
}

Result<json> LoopApp::stop() {
  if (!circulation_) return fail(Errc::not_found, "nothing goes round; circulate.start begins it");
  return json{{"lost", circulation_->stop()}};
}

}  // namespace testbed::bench
