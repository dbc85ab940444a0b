#include "vdev/vhost/vhost_port.hpp"

#include <rte_vhost.h>

#include "vdev/gate/offered.hpp"

namespace testbed::vhost {

using wire::Feature;

Result<std::unique_ptr<Port>> VhostPort::open(const std::string& name, gate::EndpointConfig config,
                                              PortEnvironment& environment, gate::DirectoryWatch& watch,
                                              gate::Doorbell& doorbell) {
  auto memory = open_memory(name, config.queue_pairs, environment);
  if (!memory) return tl::unexpected(memory.error());
  std::unique_ptr<VhostPort> port(
      new VhostPort(name, config.queue_pairs, environment, doorbell, std::move(*memory)));
  if (auto ok = port->open_endpoint(std::move(config), watch); !ok) return tl::unexpected(ok.error());
  return port;
}

VhostPort::VhostPort(std::string name, uint16_t queue_pairs, PortEnvironment& environment,
                     gate::Doorbell& doorbell, gate::PortMemory memory)
    : GuestPort(std::move(name), queue_pairs, environment, doorbell, std::move(memory)),
      quieted_(std::make_unique<uint64_t[]>(queue_pairs)),
      turns_(std::make_unique<Turn[]>(queue_pairs)),
      watched_(std::make_unique<Watched[]>(queue_pairs)),
      detectors_(queue_pairs),
      patrol_(boost::asio::use_service<gate::Patrol>(environment.io)) {
}

VhostPort::~VhostPort() {
  close_endpoint();
  patrol_.remove(this);
}

// Checksum and segmentation offloads are left out on purpose (docs/decisions/0005): without them every frame on a
// virtqueue is a frame as on a wire.
uint64_t VhostPort::capability() const {
  return gate::kFeatures;
}
uint64_t VhostPort::protocol_capability() const {
  return gate::kProtocolFeatures;
}

Result<std::unique_ptr<gate::Backend>> VhostPort::open_backend(gate::Session& session) {
  auto link = LibraryLink::open(environment_.io, environment_.directory, *this);
  if (!link) return tl::unexpected(link.error());
  link_ = link->get();
  begin_session(session);
  return link;
}

void VhostPort::message_accepted(wire::Request request) {
  using wire::Request;
  if (request == Request::NET_SET_MTU || request == Request::SET_MEM_TABLE ||
      request == Request::SET_LOG_BASE || request == Request::SET_FEATURES)
    device_changed();
  if (request != Request::SEND_RARP) return;
  // The library hands the frame out with the next burst of any queue, and does so for an empty ring too.
  rarp_.store(true, std::memory_order_release);
  environment_.quiescence.wake();
}

void VhostPort::session_over() {
  patrol_.remove(this);
  link_ = nullptr;
  GuestPort::session_over();
}

// Published while the device cannot stop; waited for when it may: a worker may be waiting for a virtqueue's
// lock, whose holder, the library's thread, may be waiting to tell us something.
void VhostPort::device_changed() {
  if (link_ == nullptr || session() == nullptr) return;
  std::unique_ptr<SessionView> next = make_view(link_->device());
  const SessionView now = *next;
  std::unique_ptr<SessionView> old;
  const bool running = link_->while_running([&](const Device&) {
    const std::lock_guard lock(publishing_);
    old.reset(view_.exchange(next.release(), std::memory_order_acq_rel));
  });
  if (!running) {
    datapath_down();
    return report({});
  }
  report(now);
  environment_.quiescence.wait();
  environment_.quiescence.wake();
  patrol_.add(this, [this] { look_for_stuck_rings(); });
}

void VhostPort::device_stopping() {
  std::unique_ptr<SessionView> old;
  {
    const std::lock_guard lock(publishing_);
    old.reset(view_.exchange(nullptr, std::memory_order_acq_rel));
  }
  environment_.quiescence.wait();
}

namespace {

// Virtio 1.2, 2.7.8 (flags of the used ring), 2.7.10 (avail_event behind it), 2.8.14 (device event
// suppression).
void place_event_word(QueueView& view, const gate::Virtqueue& queue, const gate::Session& session) {
  if (!queue.address) return;
  const uint64_t negotiated = session.rules().negotiated();
  const bool packed = (negotiated & bit(Feature::RING_PACKED)) != 0;
  const bool behind = !packed && (negotiated & bit(Feature::RING_EVENT_IDX)) != 0;
  const uint64_t at = queue.address->used + (behind ? sizeof(wire::SplitUsed) + 8ull * queue.size : 0);
  view.event_size = packed ? sizeof(wire::PackedEvent) : sizeof(uint16_t);
  for (const auto& region : session.virtqueues().guest_memory().regions())
    if (at >= region.where.user_address && at - region.where.user_address < region.where.size)
      view.event_gpa = region.where.guest_address + (at - region.where.user_address);
}

}  // namespace

std::unique_ptr<SessionView> VhostPort::make_view(const Device& device) {
  const gate::Session& session = *this->session();
  auto view = std::make_unique<SessionView>();
  view->vid = device.vid;
  view->serial = ++last_serial_;
  view->mergeable = (session.rules().negotiated() & bit(Feature::NET_MRG_RXBUF)) != 0;
  view->packed = (session.rules().negotiated() & bit(Feature::RING_PACKED)) != 0;
  if ((session.rules().negotiated() & bit(Feature::LOG_ALL)) != 0) view->log = session.virtqueues().log();
  uint16_t mtu = 0;
  view->max_frame = rte_vhost_get_mtu(device.vid, &mtu) == 0 && mtu > 0 ? mtu + gate::kFrameOverhead : UINT32_MAX;
  const auto queue_view = [&](uint16_t vring) {
    const gate::Virtqueue& queue = session.virtqueues().queue(vring);
    const bool discard = device.discarded[vring];
    QueueView lane{device.enabled[vring] && !discard,
                   device.enabled[vring] && discard,
                   queue.size,
                   queue.packed,
                   queue.packed ? &memory_.ring(vring) : nullptr,
                   queue.kick};
    place_event_word(lane, queue, session);
    return lane;
  };
  for (uint16_t pair = 0; pair < queue_pairs_; ++pair) {
    view->transmit.push_back(queue_view(static_cast<uint16_t>(2 * pair)));
    view->receive.push_back(queue_view(static_cast<uint16_t>(2 * pair + 1)));
    if (view->transmit.back().enabled) view->outlets.push_back(pair);
  }
  return view;
}

void VhostPort::report(const SessionView& view) {
  std::vector<bool> enabled;
  for (size_t pair = 0; pair < view.receive.size(); ++pair) {
    enabled.push_back(view.transmit[pair].enabled);
    enabled.push_back(view.receive[pair].enabled);
  }
  report_queues(enabled, view.packed);
}

}  // namespace testbed::vhost
