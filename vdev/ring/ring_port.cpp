#include "vdev/ring/ring_port.hpp"

#include <algorithm>

#include "core/base/clock.hpp"
#include "vdev/gate/offered.hpp"

namespace testbed::ring {
namespace {

using wire::Feature;

constexpr uint64_t kFeatures =
    gate::kFeatures | gate::bits(Feature::NET_CSUM, Feature::NET_HOST_TSO4, Feature::NET_HOST_TSO6,
                                 Feature::NET_GUEST_CSUM, Feature::NET_GUEST_TSO4, Feature::NET_GUEST_TSO6);

// Of one virtqueue. Those in between are counted.
constexpr uint64_t kBetweenReportsNs = 1'000'000'000;

}  // namespace

Result<std::unique_ptr<Port>> RingPort::open(const std::string& name, gate::EndpointConfig config,
                                             PortEnvironment& environment, gate::DirectoryWatch& watch,
                                             gate::Doorbell& doorbell, Scratches& scratches) {
  register_guest_frames();
  auto memory = open_memory(name, config.queue_pairs, environment);
  if (!memory) return tl::unexpected(memory.error());
  std::unique_ptr<RingPort> port(
      new RingPort(name, config.queue_pairs, environment, doorbell, scratches, std::move(*memory)));
  if (auto ok = port->open_endpoint(std::move(config), watch); !ok) return tl::unexpected(ok.error());
  return port;
}

RingPort::RingPort(std::string name, uint16_t queue_pairs, PortEnvironment& environment,
                   gate::Doorbell& doorbell, Scratches& scratches, gate::PortMemory memory)
    : GuestPort(std::move(name), queue_pairs, environment, doorbell, std::move(memory)),
      scratches_(scratches),
      walks_(2u * queue_pairs),
      reported_faults_(2u * queue_pairs),
      later_(environment.io) {
}

RingPort::~RingPort() {
  close_endpoint();
}

uint64_t RingPort::capability() const {
  return kFeatures;
}
uint64_t RingPort::protocol_capability() const {
  return gate::kProtocolFeatures;
}

Result<std::unique_ptr<gate::Backend>> RingPort::open_backend(gate::Session& session) {
  begin_session(session);
  auto backend =
      std::make_unique<RingSession>(session, memory_, walks_, *this, kFeatures, gate::kProtocolFeatures);
  session_backend_ = backend.get();
  return backend;
}

void RingPort::session_over() {
  report_faults(Pace::now);
  GuestPort::session_over();
}

void RingPort::exchange(std::unique_ptr<SessionView> view) {
  const bool any = view != nullptr;
  const std::unique_ptr<const SessionView> old(view_.exchange(view.release(), std::memory_order_acq_rel));
  if (old) environment_.quiescence.wait();
  if (any) environment_.quiescence.wake();
}

void RingPort::publish(std::unique_ptr<SessionView> view) {
  const bool any = view != nullptr;
  exchange(std::move(view));
  if (!any) datapath_down();
  report_queues(any ? session_backend_->enabled() : std::vector<bool>{}, session_backend_->packed());
}

void RingPort::retire() {
  session_backend_ = nullptr;  // it calls this when it ends
  exchange(nullptr);
}

void RingPort::announce(uint64_t mac) {
  announcement_.store(mac | uint64_t{1} << 63, std::memory_order_release);
  environment_.quiescence.wake();
}

// -- Faults

void RingPort::answer_bell() {
  GuestPort::answer_bell();
  if (fault_noted_.exchange(false, std::memory_order_acq_rel)) report_faults(Pace::slow);
}

void RingPort::report_faults(Pace pace) {
  uint64_t due_ns = 0;
  for (uint16_t vring = 0; vring < walks_.size(); ++vring)
    if (const uint64_t due = report_fault(vring, walks_[vring], pace); due != 0)
      due_ns = due_ns == 0 ? due : std::min(due_ns, due);
  later_.cancel();
  if (due_ns == 0) return;
  // The driver may do nothing more that rings the bell.
  later_.expires_after(std::chrono::nanoseconds(due_ns - std::min(due_ns, now_ns())));
  later_.async_wait([this](const boost::system::error_code& error) {
    if (!error) report_faults(Pace::slow);
  });
}

// Returns when the rest may be reported; 0: there is none.
uint64_t RingPort::report_fault(uint16_t vring, Walk& walk, Pace pace) {
  Reported& reported = reported_faults_[vring];
  const Fault last = walk.last_fault.load(std::memory_order_relaxed);
  const uint32_t stops = walk.stops.load(std::memory_order_acquire);
  if (std::exchange(reported.stops, stops) != stops) {
    environment_.events.emit("ring.stuck", {{"port", name()},
                                            {"session", session_id()},
                                            {"queue", vring},
                                            {"because", to_string(last)}});
    if (session_backend_) session_backend_->report_error(vring);
  }
  const uint64_t faults = walk.faults.load(std::memory_order_relaxed);
  const uint64_t now = now_ns();
  if (faults == reported.faults) return 0;
  const uint64_t due = reported.at_ns + kBetweenReportsNs;
  if (pace == Pace::slow && reported.at_ns != 0 && now < due) return due;
  environment_.events.emit("ring.fault", {{"port", name()},
                                          {"session", session_id()},
                                          {"queue", vring},
                                          {"fault", to_string(last)},
                                          {"head", walk.last_head.load(std::memory_order_relaxed)},
                                          {"count", faults - reported.faults}});
  reported.faults = faults;
  reported.at_ns = now;
  return 0;
}

void RingPort::describe_queue(nlohmann::json& queue, uint16_t vring) const {
  const Walk& walk = walks_[vring];
  queue["stuck"] = walk.stuck.load(std::memory_order_relaxed) != Fault::none;
  queue["faults"] = walk.faults.load(std::memory_order_relaxed);
  if (vring % 2 == 1) queue["discarded"] = walk.discarded.load(std::memory_order_relaxed);
}

}  // namespace testbed::ring
