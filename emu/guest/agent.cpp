#include "emu/guest/agent.hpp"

#include "core/base/clock.hpp"
#include "emu/flow/mac.hpp"
#include "emu/guest/system.hpp"

namespace testbed::guest {

using nlohmann::json;

namespace {

constexpr const char* kDriver = "virtio_net";
constexpr int64_t kExecTimeoutMs = 30'000;

Result<json> nothing(Result<void> done) {
  if (!done) return tl::unexpected(done.error());
  return json::object();
}

}  // namespace

Agent::Agent(Process& process)
    : process_(process),
      engine_([this](std::string_view name, json fields) { process_.events().emit(name, std::move(fields)); },
              [this] { return clock_.now(); }),
      flows_(engine_, [](const std::function<void()>& work) { work(); }),
      poller_(process.io(), engine_, clock_),
      commands_(process.io()),
      link_(process.io(), netdev_, [this](bool up) { link_changed(up); }),
      kernel_log_(process.io(), [this](const KernelRecord& record) {
        process_.events().emit("kernel.error", {{"text", record.text}, {"level", record.level}}, record.t_ns);
      }) {
  register_flow_methods();
  register_guest_methods();
}

Result<void> Agent::start() {
  if (auto opened = open_interface(netdev_.queues().max); !opened) return opened;
  const auto mac = flow::parse_mac(netdev_.mac());
  if (!mac) return tl::unexpected(mac.error());
  if (auto added = engine_.add_end(netdev_.name(), transport_, *mac); !added) return added;
  if (auto watching = link_.start(); !watching) return watching;
  if (auto following = kernel_log_.follow(); !following) return following;
  process_.events().emit("agent.ready", {{"kernel", kernel_release()},
                                         {"mac", netdev_.mac()},
                                         {"queues", netdev_.queues().current},
                                         {"link", netdev_.link()},
                                         {"boot_ms", now_ns() / 1'000'000}});
  return {};
}

void Agent::register_flow_methods() {
  for (auto& [name, handler] : flows_.methods())
    process_.rpc().method(
        name, [this, handler = std::move(handler), status = name == "frontend.status"](const json& params) {
          Result<json> result = handler(params);
          poller_.wake();
          if (result && status) add_interface(*result);
          return result;
        });
}

void Agent::register_guest_methods() {
  auto& rpc = process_.rpc();
  rpc.method("clock", [this](const json& params) -> Result<json> { return clock(params); });
  rpc.method("link", [this](const json&) -> Result<json> { return link_status(); });
  rpc.method("queues", [this](const json& params) { return set_queues(params.at("count").get<unsigned>()); });
  rpc.method("reload", [this](const json&) { return reload(); });
  // No reply unless it fails: the host learns of it from QEMU, and of its end from the next agent.ready.
  rpc.method("reboot", [](const json&) { return nothing(restart_machine()); });
  rpc.async_method("exec", [this](const json& params, RpcServer::Reply reply) {
    const auto command = params.at("command").get<std::string>();
    const std::chrono::milliseconds timeout(params.value("timeout_ms", kExecTimeoutMs));
    commands_.run(command, timeout, [this, reply](Result<Outcome> outcome) {
      follow_queues();
      if (!outcome) return reply(tl::unexpected(outcome.error()));
      reply(json{{"status", outcome->status}, {"stdout", outcome->out}, {"stderr", outcome->err}});
    });
  });
}

json Agent::clock(const json& params) {
  if (params.contains("offset_ns")) clock_.set_offset(params["offset_ns"].get<int64_t>());
  return {{"t", now_ns()}, {"offset_ns", clock_.offset_ns()}};
}

Result<void> Agent::open_interface(unsigned queues) {
  if (!netdev_.exists())
    return fail(Errc::not_found, netdev_.name() + ": the guest has no virtio-net device");
  if (queues > 1)
    if (auto set = netdev_.set_queues(queues); !set) return set;
  if (auto up = netdev_.up(); !up) return up;
  return open_transport();
}

Result<json> Agent::reload() {
  const unsigned queues = netdev_.queues().current;
  close_transport();
  if (auto removed = remove_module(kDriver); !removed) {
    (void)open_transport();
    return tl::unexpected(removed.error());
  }
  if (auto inserted = insert_module(kDriver); !inserted) return tl::unexpected(inserted.error());
  if (auto opened = open_interface(queues); !opened) return tl::unexpected(opened.error());
  return link_status();
}

Result<json> Agent::set_queues(unsigned count) {
  close_transport();
  const auto set = netdev_.set_queues(count);
  if (auto opened = open_transport(); !opened) return tl::unexpected(opened.error());
  if (!set) return tl::unexpected(set.error());
  return link_status();
}

void Agent::follow_queues() {
  if (netdev_.exists() && netdev_.queues().current != transport_.queues()) (void)open_transport();
}

void Agent::close_transport() {
  poller_.detach();
  transport_.close();
}

Result<void> Agent::open_transport() {
  poller_.detach();
  if (auto opened = transport_.open(); !opened) return opened;
  poller_.attach(transport_.receive_fds());
  return {};
}

json Agent::link_status() const {
  const QueueCount queues = netdev_.queues();
  return {
      {"up", netdev_.link()}, {"mac", netdev_.mac()}, {"queues", queues.current}, {"max_queues", queues.max}};
}

void Agent::add_interface(json& status) {
  const NetCounters counters = netdev_.counters();
  auto& entry = status[netdev_.name()];
  entry["interface"] = {{"rx_packets", counters.rx_packets}, {"tx_packets", counters.tx_packets},
                        {"rx_bytes", counters.rx_bytes},     {"tx_bytes", counters.tx_bytes},
                        {"rx_dropped", counters.rx_dropped}, {"tx_dropped", counters.tx_dropped}};
  entry["ring_drops"] = transport_.ring_drops();
}

void Agent::link_changed(bool up) {
  transport_.set_link(up);
  process_.events().emit("guest.link", {{"up", up}});
  poller_.wake();
}

}  // namespace testbed::guest
