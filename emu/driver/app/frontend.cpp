#include "emu/driver/app/frontend.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>

#include "core/base/clock.hpp"
#include "core/base/unix_socket.hpp"
#include "emu/driver/app/feature_names.hpp"
#include "vdev/wire/vhost_user_names.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::driver {

using wire::bit;
using wire::Feature;

Frontend::Frontend(FrontendSpec spec, GuestMemory memory, DataThread& data, EventLog& events)
    : spec_(std::move(spec)),
      memory_(std::move(memory)),
      data_(data),
      events_(events),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      automatic_(spec_.automatic) {
}

Result<std::unique_ptr<Frontend>> Frontend::create(FrontendSpec spec, DataThread& data, EventLog& events) {
  if (auto ok = check_socket_path(spec.path); !ok) return tl::unexpected(ok.error());
  auto memory = GuestMemory::open(spec.memory);
  if (!memory) return tl::unexpected(memory.error());
  std::unique_ptr<Frontend> frontend(new Frontend(std::move(spec), std::move(*memory), data, events));
  auto device = NetDevice::create(frontend->memory_, frontend->spec_.net, frontend->spec_.state_file);
  if (!device) return tl::unexpected(device.error());
  frontend->device_ = std::move(*device);
  if (frontend->spec_.fill)
    fill_unused(frontend->memory_, areas_of(frontend->device_->layout(), frontend->spec_.net));
  auto there = meet(frontend->spec_.path, frontend->spec_.server);
  if (!there) return tl::unexpected(there.error());
  frontend->at_ = std::move(*there);
  Result<void> added;
  data.run([&] {
    added = data.engine().add_end(frontend->spec_.name, *frontend->device_, frontend->spec_.mac,
                                  frontend->spec_.hello);
    if (added) data.add(*frontend->device_, frontend->spec_.interrupts);
  });
  if (!added) return tl::unexpected(added.error());
  frontend->thread_ = std::thread([raw = frontend.get()] { raw->loop(); });
  return frontend;
}

Frontend::~Frontend() {
  if (!thread_.joinable()) return;
  stop_ = true;
  post([] {});
  thread_.join();
  data_.run([&] {
    device_->stop();
    data_.remove(*device_);
    (void)data_.engine().remove_end(spec_.name);
  });
  if (at_.listener) ::unlink(at_.path.c_str());
}

void Frontend::emit(std::string_view name, nlohmann::json fields, uint64_t t) {
  fields["frontend"] = spec_.name;
  events_.emit(name, std::move(fields), t);
}

void Frontend::post(Job job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void Frontend::run_jobs() {
  uint64_t count;
  (void)!::read(wake_.get(), &count, sizeof count);
  std::deque<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(jobs_);
  }
  for (const Job& job : jobs) job();
}

void Frontend::loop() {
  while (!stop_) {
    run_jobs();
    if (stop_) break;
    if (migration_)
      continue_migration();
    else if (at_.session)
      watch(-1);
    else if (automatic_)
      attempt();
    else
      wait_until(UINT64_MAX);
  }
  disconnect("the frontend ends");
}

void Frontend::wait_until(uint64_t moment_ns) {
  pollfd watched{wake_.get(), POLLIN, 0};
  const uint64_t now = now_ns(), left = moment_ns > now ? moment_ns - now : 0;
  const timespec timeout{static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
  ::ppoll(&watched, 1, moment_ns == UINT64_MAX ? nullptr : &timeout, nullptr);
}

void Frontend::attempt() {
  constexpr uint64_t kPause_ns = 20'000'000;  // between two tries with somebody who hangs up
  auto connected = connect(now_ns() + 3600'000'000'000);
  if (!connected && connected.error().code == Errc::refused) return;  // woken: there is a job to do first
  auto done = connected ? shake_hands({}) : tl::unexpected(connected.error());
  if (done) return last_failure_.clear();
  if (done.error().message != last_failure_) emit("driver.failed", {{"error", done.error().message}});
  last_failure_ = done.error().message;
  disconnect(done.error().message);
  wait_until(now_ns() + kPause_ns);
}

Result<void> Frontend::connect(uint64_t deadline_ns) {
  if (at_.session) return fail(Errc::already_exists, spec_.name + " has a session");
  return attach(at_, deadline_ns);
}

Result<Attachment> Frontend::meet(const std::string& path, bool server) {
  if (auto ok = check_socket_path(path); !ok) return tl::unexpected(ok.error());
  Attachment there{.path = path};
  if (!server) return there;
  auto listener = listen_unix(path);
  if (!listener) return tl::unexpected(listener.error());
  there.listener = std::move(*listener);
  return there;
}

Result<void> Frontend::attach(Attachment& there, uint64_t deadline_ns) {
  auto socket = there.listener ? accept_one(there.listener.get(), deadline_ns, wake_.get())
                               : dial(there.path, deadline_ns, wake_.get());
  if (!socket) return tl::unexpected(socket.error());
  auto backend = BackendRequests::create(spec_.answer_within_ns);
  if (!backend) return tl::unexpected(backend.error());
  there.session = std::make_unique<Session>(std::move(*socket), spec_.answer_within_ns);
  there.backend = std::make_unique<BackendRequests>(std::move(*backend));
  there.handshake.reset();
  emit("driver.connected", {{"session", ++sessions_}});
  return {};
}

void Frontend::disconnect(const std::string& reason) {
  if (!at_.session) return;
  data_.run([&] { device_->stop(); });
  at_.handshake.reset();
  at_.backend.reset();
  past_session_ = sessions_;
  past_log_ = at_.session->log();
  at_.session.reset();
  emit("driver.down", {{"session", sessions_}, {"reason", reason}});
}

void Frontend::watch(int timeout_ms) {
  std::array<pollfd, 3> watched{pollfd{wake_.get(), POLLIN, 0},
                                pollfd{at_.session->channel().fd(), POLLIN | POLLRDHUP, 0},
                                pollfd{at_.backend ? at_.backend->fd() : -1, POLLIN, 0}};
  ::poll(watched.data(), watched.size(), timeout_ms);
  if (watched[0].revents) return;
  if (watched[2].revents) serve_backend();
  if (!at_.session || !watched[1].revents) return;
  if (at_.session->channel().hung_up()) return disconnect("the backend closed the connection");
  auto stray = at_.session->receive();
  if (!stray) return disconnect(stray.error().message);
  at_.session->note_backend(*stray);
  emit("driver.unexpected", {{"request", stray->header.request},
                             {"message", wire::request_name(stray->header.request)},
                             {"size", stray->header.size}});
}

void Frontend::serve_backend() {
  const auto request = at_.backend->serve(*at_.session, memory_, spec_.answer_backend, spec_.iotlb_page);
  if (request) {
    const auto name =
        *request <= wire::kLastBackendRequest ? wire::kBackendRequestNames[*request] : "UNKNOWN";
    return emit("driver.backend_request", {{"request", *request}, {"message", name}});
  }
  at_.backend.reset();  // that channel is gone; the session may live on
}

wire::VringAddr Frontend::address_of(uint16_t vring, uint64_t features) const {
  const RingPlace& place = device_->layout().vrings[vring].ring;
  // "A ring address is an IOVA if VIRTIO_F_IOMMU_PLATFORM has been negotiated. Otherwise it is a user
  // address."
  const bool iova = (features & bit(Feature::ACCESS_PLATFORM)) != 0;
  const auto address = [&](uint64_t gpa) { return iova ? gpa : memory_.user_address(gpa); };
  const bool logged = (features & bit(Feature::LOG_ALL)) != 0;
  // On a packed ring the device marks descriptors used: those are its used ring.
  const bool packed = (features & bit(Feature::RING_PACKED)) != 0;
  const uint64_t log = place.log ? place.log : packed ? place.descriptors : place.used;
  return {vring, logged ? 1u : 0u, address(place.descriptors), address(place.used), address(place.available),
          log};
}

VringFacts Frontend::facts_of(uint16_t vring, uint64_t features) const {
  const Vring& queue = device_->vring(vring);
  const Ring& ring = *queue.ring();
  const HandshakeSpec& spec = spec_.handshake;
  VringFacts facts{.size = ring.size(), .address = address_of(vring, features)};
  facts.enable = vring / 2 < device_->queues();
  const auto told = spec.bases.find(vring);
  if (told != spec.bases.end())
    facts.base = told->second;
  else if (spec.base == BasePolicy::resume)
    facts.base = ring.resume_position();
  else
    facts.base = spec.base == BasePolicy::start ? ring.options().first : ring.next_position();
  if (!spec.polled) {
    facts.kick = queue.kick_fd();
    facts.call = queue.call_fd();
    facts.error = queue.error_fd();
  }
  return facts;
}

HandshakeParty Frontend::party(Attachment& there) {
  HandshakeParty party{.queues = spec_.net.queues,
                       .memory = &memory_,
                       .log = log_.get(),
                       .backend_channel = there.backend ? there.backend->backend_end() : -1,
                       .inflight = &there.inflight,
                       .inflight_area = &there.inflight_area};
  party.configure = [this](uint64_t features) -> Result<void> {
    Result<bool> kept;
    data_.run([&] {
      if (fresh_) device_->set_pairs(spec_.net.queues);
      kept = device_->configure(features, spec_.first, fresh_);
    });
    if (!kept) return tl::unexpected(kept.error());
    kept_ = *kept;
    fresh_ = false;
    return {};
  };
  party.vring = [this, session = there.session.get()](uint16_t vring) {
    return facts_of(vring, session->features);
  };
  return party;
}

Result<bool> Frontend::shake_hands(const HandshakeStop& stop) {
  if (!at_.session) return fail(Errc::disconnected, spec_.name + " has no session; driver.connect makes one");
  if (!at_.handshake) {
    if (log_) {  // a backend that comes back goes on with what was agreed
      spec_.handshake.wanted &= ~bit(Feature::LOG_ALL);
      if (logging_) spec_.handshake.wanted |= bit(Feature::LOG_ALL);
    }
    at_.handshake =
        std::make_unique<Handshake>(*at_.session, spec_.handshake, party(at_), Handshake::From::start);
    at_.handshake_ns = now_ns();
  }
  const auto done = at_.handshake->run(stop.messages, stop.request);
  if (!done) return done;
  if (*done)
    if (auto up = bring_up(at_.handshake->messages(), at_.handshake_ns); !up)
      return tl::unexpected(up.error());
  return done;
}

Result<void> Frontend::bring_up(uint64_t messages, uint64_t began_ns) {
  for (size_t i = 0; i < device_->vrings(); ++i)
    if (!device_->vring(i).ring())  // a message before the rings failed, and the handshake was told to go on
      return fail(Errc::protocol, "the handshake is over, and never came to make the rings");
  if (at_.backend) at_.backend->passed();  // a backend may close its channel before the handshake is over
  const uint64_t took_us = (now_ns() - began_ns) / 1000;
  data_.run([&] {
    for (size_t i = 0; i < device_->vrings(); ++i) device_->vring(i).set_polled(spec_.handshake.polled);
    device_->start(device_->queues());
  });
  emit("driver.up", {{"session", sessions_},
                     {"features", to_hex(at_.session->features)},
                     {"names", feature_names(at_.session->features)},
                     {"offered", to_hex(at_.session->offered)},
                     {"protocol_features", to_hex(at_.session->protocol_features)},
                     {"queues", device_->queues()},
                     {"packed", at_.session->has_feature(bit(Feature::RING_PACKED))},
                     {"resumed", kept_},
                     {"messages", messages},
                     {"handshake_us", took_us}});
  return {};
}

}  // namespace testbed::driver
