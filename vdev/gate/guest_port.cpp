#include "vdev/gate/guest_port.hpp"

#include "core/base/clock.hpp"
#include "vdev/gate/describe.hpp"

namespace testbed::gate {

Result<PortMemory> GuestPort::open_memory(const std::string& name, uint16_t queue_pairs,
                                          PortEnvironment& environment) {
  const auto vrings = static_cast<uint16_t>(2 * queue_pairs);
  auto memory = PortMemory::open(port_memory_path(environment.directory, name), vrings);
  if (memory || memory.error().code == Errc::busy) return memory;
  environment.events.emit("port.forgetful", {{"port", name}, {"error", memory.error().message}});
  return PortMemory::volatile_memory(vrings);
}

GuestPort::GuestPort(std::string name, uint16_t queue_pairs, PortEnvironment& environment, Doorbell& doorbell,
                     PortMemory memory)
    : Port(std::move(name)),
      queue_pairs_(queue_pairs),
      environment_(environment),
      doorbell_(doorbell),
      memory_(std::move(memory)),
      reported_(2u * queue_pairs) {
  doorbell_.add(this, [this] { answer_bell(); });
}

GuestPort::~GuestPort() {
  doorbell_.remove(this);
}

Result<void> GuestPort::open_endpoint(EndpointConfig config, DirectoryWatch& watch) {
  auto endpoint = Endpoint::open(environment_.io, environment_.events, watch, std::move(config), memory_, *this);
  if (!endpoint) return tl::unexpected(endpoint.error());
  endpoint_ = std::move(*endpoint);
  return {};
}

void GuestPort::begin_session(const Session& session) {
  session_id_ = session.id();
  heard_.store(false, std::memory_order_release);
}

void GuestPort::session_over() {
  report_first_packet();
  heard_.store(true, std::memory_order_relaxed);
  up_ = false;
  reported_.assign(reported_.size(), false);
}

void GuestPort::report_queues(const std::vector<bool>& enabled, bool packed) {
  uint16_t pairs = 0;
  for (uint16_t vring = 0; vring < reported_.size(); ++vring) {
    const bool on = vring < enabled.size() && enabled[vring];
    pairs += on && vring % 2 == 1 ? 1 : 0;
    if (on == reported_[vring]) continue;
    reported_[vring] = on;
    environment_.events.emit("queue.changed",
                             {{"port", name()}, {"session", session_id_}, {"queue", vring}, {"enabled", on}});
  }
  if (up_ || pairs == 0) return;
  up_ = true;
  environment_.events.emit(
      "session.up", {{"port", name()}, {"session", session_id_}, {"queues", pairs}, {"packed", packed}});
}

void GuestPort::note_first_packet(uint16_t queue) {
  if (heard_.exchange(true, std::memory_order_acq_rel)) return;
  first_packet_queue_.store(queue, std::memory_order_relaxed);
  first_packet_ns_.store(now_ns(), std::memory_order_release);
  doorbell_.ring();
}

void GuestPort::answer_bell() {
  report_first_packet();
}

void GuestPort::report_first_packet() {
  const uint64_t at = first_packet_ns_.exchange(0, std::memory_order_acquire);
  if (at == 0) return;
  environment_.events.emit("session.first_packet",
                           {{"port", name()},
                            {"session", session_id_},
                            {"queue", first_packet_queue_.load(std::memory_order_relaxed)}},
                           at);
}

nlohmann::json GuestPort::describe() const {
  const Session* present = session();
  nlohmann::json all = {{"type", "vhost"},
                        {"role", endpoint_->config().role == Role::server ? "server" : "client"},
                        {"path", endpoint_->config().path},
                        {"queues", queue_pairs_},
                        {"refused", refused()},
                        {"state", present == nullptr ? endpoint_->waiting_state() : up_ ? "up" : "handshake"}};
  if (const std::string error = endpoint_->last_error(); !error.empty()) all["last_error"] = error;
  if (present == nullptr) return all;
  all["session"] = describe_session(*present, reported_, memory_);
  for (nlohmann::json& queue : all["session"]["queues"]) describe_queue(queue, queue["index"].get<uint16_t>());
  return all;
}

}  // namespace testbed::gate
