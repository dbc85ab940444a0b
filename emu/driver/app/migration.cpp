#include "emu/driver/app/migration.hpp"

#include <algorithm>

#include "core/base/clock.hpp"
#include "core/base/options.hpp"
#include "emu/driver/app/frontend.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::driver {

using wire::bit;
using wire::Feature;
using wire::Request;

namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr size_t kSlice = 256;  // pages between two looks at what else there is to do

Error gone() {
  return {Errc::disconnected, "the backend at the source went away"};
}

}  // namespace

Result<MigrationSpec> read_migration(const nlohmann::json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  options.raw("frontend");
  MigrationSpec spec;
  spec.path = options.text("path");
  spec.server = options.choice("role", {"client", "server"}, "client") == "server";
  spec.max_rounds = options.number("max_rounds", spec.max_rounds, 1, 100'000);
  spec.downtime_ns = options.number("downtime_ms", spec.downtime_ns / kMillisecond, 1, 60'000) * kMillisecond;
  spec.bandwidth = options.number("bandwidth", 0, 0, uint64_t{1} << 50);
  spec.within_ns = options.number("within_ms", spec.within_ns / kMillisecond, 1, 600'000) * kMillisecond;
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return spec;
}

Migration::Migration(Frontend& frontend, MigrationSpec spec)
    : frontend_(frontend),
      spec_(std::move(spec)),
      handshake_(frontend.spec().handshake),
      began_ns_(now_ns()),
      connect_by_ns_(began_ns_ + spec_.within_ns) {
  // The destination knows everything but where the rings are, before they stop at the source; they are
  // started last, and enabled when all of that has succeeded: until then the guest can return.
  for (const auto request : {Request::SET_VRING_BASE, Request::SET_VRING_KICK, Request::SET_VRING_ENABLE})
    std::erase(handshake_.vring_order, request);
  handshake_.driver_ok = false;
  report_ = {{"state", "running"},
             {"from", frontend.attachment().path},
             {"to", spec_.path},
             {"memory", frontend.memory().size()},
             {"rounds", nlohmann::json::array()},
             {"pages", 0u}};
}

Migration::~Migration() {
  if (phase_ != Phase::over) cancel();
}

Result<std::unique_ptr<Migration>> Migration::begin(Frontend& frontend, MigrationSpec spec) {
  if (!frontend.session() || !frontend.device().link_up())
    return fail(Errc::disconnected, frontend.spec().name + " has no session that is up");
  if (!frontend.session()->has(wire::ProtocolFeature::LOG_SHMFD))
    return fail(Errc::unsupported, "LOG_SHMFD was not negotiated with this backend: it cannot log");
  if (frontend.log())
    return fail(Errc::already_exists, "the script has a log of its own; driver.log off ends it");
  auto destination = Frontend::meet(spec.path, spec.server);
  if (!destination) return tl::unexpected(destination.error());
  std::unique_ptr<Migration> migration(new Migration(frontend, std::move(spec)));
  migration->destination_ = std::move(*destination);
  frontend.emit("migration.started", {{"from", frontend.attachment().path}, {"to", migration->spec_.path}});
  return migration;
}

bool Migration::step() {
  frontend_.watch(0);
  const bool lost =
      phase_ == Phase::copying && (!frontend_.session() || destination_.session->channel().hung_up());
  auto done = !lost                 ? advance()
              : frontend_.session() ? fail(Errc::disconnected, "the backend at the destination went away")
                                    : Result<void>(tl::unexpected(gone()));
  if (!done) abandon("migration.failed", done.error().message);
  return phase_ != Phase::over;
}

Result<void> Migration::advance() {
  switch (phase_) {
    case Phase::connecting:
      return connect();
    case Phase::copying:
      return copy_slice();
    case Phase::comparing:
      compare_rest();
      return {};
    case Phase::over:
      break;
  }
  return {};
}

Result<void> Migration::connect() {
  if (!frontend_.session()) return tl::unexpected(gone());
  auto attached = frontend_.attach(destination_, connect_by_ns_);
  if (!attached && attached.error().code == Errc::refused && now_ns() < connect_by_ns_)
    return {};  // a job waits
  if (!attached) return tl::unexpected(at_destination(attached.error()));
  handshake_.wanted &= ~bit(Feature::LOG_ALL);
  return prepare();
}

// The rings run at the source, and stay as they are.
Result<void> Migration::prepare() {
  MemorySpec spec = frontend_.spec().memory;
  spec.inherited = -1;
  if (!spec.file.empty()) spec.file += ".incoming";
  auto twin = Twin::create(frontend_.memory(), spec);
  if (!twin) return tl::unexpected(twin.error());
  twin_ = std::make_unique<Twin>(std::move(*twin));
  HandshakeParty party = frontend_.party(destination_);
  party.memory_fd = twin_->fd();
  party.log = nullptr;
  party.configure = [this](uint64_t features) -> Result<void> {
    if (features == (frontend_.session()->features & ~bit(Feature::LOG_ALL))) return {};
    return fail(Errc::unsupported, "the destination does not offer what this guest uses");
  };
  destination_.handshake_ns = now_ns();
  destination_.handshake = std::make_unique<Handshake>(*destination_.session, handshake_, std::move(party),
                                                       Handshake::From::start);
  if (auto done = destination_.handshake->run(std::nullopt, ""); !done)
    return tl::unexpected(at_destination(done.error()));
  return begin_copying();
}

Result<void> Migration::begin_copying() {
  const auto areas = areas_of(frontend_.device().layout(), frontend_.spec().net);
  if (auto kept = twin_->keep(twin_->holding(areas)); !kept) return kept;
  frontend_.data().run([&] { frontend_.memory().watch_writes(true); });
  if (auto on = frontend_.start_logging(0, 0); !on) return on;
  logging_ = true;
  queue_ = twin_->populated();
  round_began_ns_ = now_ns();
  phase_ = Phase::copying;
  return {};
}

Migration::Pages Migration::dirtied() {
  Pages pages = twin_->from_guest(frontend_.take_dirty(true));
  const Pages own = frontend_.memory().take_written();
  pages.insert(pages.end(), own.begin(), own.end());
  std::ranges::sort(pages);
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  return pages;
}

Result<void> Migration::copy_slice() {
  const size_t count = std::min(kSlice, queue_.size() - next_);
  const uint64_t began_ns = now_ns();
  twin_->copy(std::span(queue_).subspan(next_, count));
  copying_ns_ += now_ns() - began_ns;
  copied_octets_ += count * kPage;
  next_ += count;
  throttle(count * kPage, began_ns);
  return next_ == queue_.size() ? end_round() : Result<void>();
}

// Keeps to the bandwidth, and in any case rests as long as it worked: whoever runs all the time is not run at once
// when the rings have stopped and the guest waits. A job that comes ends the pause, and the next slice makes up for
// it.
void Migration::throttle(uint64_t octets, uint64_t began_ns) {
  const uint64_t now = now_ns();
  const uint64_t due_ns = spec_.bandwidth == 0 ? 0 : began_ns + octets * 1'000'000'000 / spec_.bandwidth;
  frontend_.wait_until(std::max(due_ns, now + (now - began_ns)));
}

uint64_t Migration::pages_in_downtime() const {
  const uint64_t per_second = copied_octets_ * 1'000'000'000 / std::max<uint64_t>(copying_ns_, 1);
  return per_second / kPage * (spec_.downtime_ns / 1000) / 1'000'000;
}

Result<void> Migration::end_round() {
  const size_t copied = queue_.size();
  queue_ = dirtied();
  next_ = 0;
  nlohmann::json round = {
      {"pages", copied}, {"duration_us", (now_ns() - round_began_ns_) / 1000}, {"dirtied", queue_.size()}};
  report_["rounds"].push_back(round);
  report_["pages"] = report_["pages"].get<uint64_t>() + copied;
  round["round"] = report_["rounds"].size();
  frontend_.emit("migration.round", std::move(round));
  round_began_ns_ = now_ns();
  const bool fits = queue_.size() <= pages_in_downtime();
  report_["forced"] = !fits;
  return fits || report_["rounds"].size() >= spec_.max_rounds ? switch_over() : Result<void>();
}

void Migration::cancel() {
  if (phase_ == Phase::connecting || phase_ == Phase::copying)
    abandon("migration.cancelled", "it was cancelled");
}

void Migration::stop_watching_source() {
  frontend_.data().run([&] { frontend_.memory().watch_writes(false); });
  if (logging_ && frontend_.session()) (void)frontend_.stop_logging();  // one that is gone logs nothing
  frontend_.forget_log();
  logging_ = false;
}

void Migration::abandon(const char* event, const std::string& why) {
  stop_watching_source();
  if (destination_.listener) ::unlink(destination_.path.c_str());
  destination_ = {};
  report_["error"] = why;
  finish(event);
}

void Migration::finish(const char* event) {
  phase_ = Phase::over;
  twin_.reset();
  const std::string name = event;
  report_["state"] = name.substr(name.find('.') + 1);
  report_["total_us"] = (now_ns() - began_ns_) / 1000;
  frontend_.emit(event, report_);
}

}  // namespace testbed::driver
