// The end of a migration: the rings stop at the source, the rest is copied, the rings go on at the
// destination, the memories are compared.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/base/clock.hpp"
#include "emu/driver/app/frontend.hpp"
#include "emu/driver/app/migration.hpp"

namespace testbed::driver {

using wire::Request;

namespace {

constexpr size_t kNamed = 16;        // pages that differ, in the report
constexpr size_t kCompared = 256;    // pages between two looks at what else there is to do

}  // namespace

// Nothing here waits for anybody but the two backends.
Result<void> Migration::switch_over() {
  const Pages rings = twin_->holding(rings_of(frontend_.device().layout(), frontend_.spec().net));
  stopping_ns_ = lap_ns_ = now_ns();
  moments_ = {{"until_stop", stopping_ns_}};
  auto bases = frontend_.ask_bases();
  if (!bases) return tl::unexpected(bases.error());
  lap("stop_us", "stop_rings");
  // What came in since the round's end.
  const Pages late = dirtied();
  queue_.insert(queue_.end(), late.begin(), late.end());
  twin_->copy(queue_);
  lap("copy_us", "last_copy");
  // The destination has this memory already: in rings nobody has started it has nothing to write.
  note_differing(twin_->differing(rings));
  lap("compare_us", "compare");
  report_["pages"] = report_["pages"].get<uint64_t>() + queue_.size();
  report_["last_pages"] = queue_.size();
  return arrive(*bases);
}

// Up to here nothing was lost: a destination that fails now sends the guest back.
Result<void> Migration::arrive(const std::vector<uint32_t>& bases) {
  const uint64_t stopped_ns = moments_["stop_rings"];
  const auto exchange = [this] {
    twin_->exchange(frontend_.memory());
    frontend_.memory().watch_writes(false);
  };
  frontend_.data().run([&] {
    frontend_.note_stopped(bases);
    exchange();
  });
  frontend_.exchange(destination_);
  lap("exchange_us", "exchange");
  if (auto started = frontend_.start_rings(bases); !started) {
    frontend_.data().run(exchange);
    frontend_.exchange(destination_);
    stop_watching_source();
    if (auto back = frontend_.restart_rings(false); !back) frontend_.disconnect(back.error().message);
    return tl::unexpected(at_destination(started.error()));
  }
  lap("handshake_us", "start_rings");
  logging_ = false;
  frontend_.forget_log();
  auto enabled = go_on();
  frontend_.emit("migration.stopped", {{"bases", bases}}, stopped_ns);
  frontend_.emit("migration.switched", {{"downtime_us", report_["downtime_us"]}, {"moments", moments_}},
                 moments_["enable_rings"]);
  if (!enabled)
    frontend_.disconnect(enabled.error().message);  // the guest lives here now and waits for its backend
  leave();
  rest_ = twin_->populated();
  report_["compared_pages"] = rest_.size();
  phase_ = Phase::comparing;
  return {};
}

Result<void> Migration::go_on() {
  auto enabled = frontend_.enable_rings();
  lap("enable_us", "enable_rings");
  report_["downtime_us"] = (lap_ns_ - stopping_ns_) / 1000;
  if (enabled) enabled = announce();
  moments_["announce"] = now_ns();
  return enabled;
}

// The switch there learns where the guest is, also when it says nothing itself.
Result<void> Migration::announce() {
  if (!frontend_.session()->has(wire::ProtocolFeature::RARP)) return {};
  uint64_t mac = 0;
  std::memcpy(&mac, frontend_.spec().mac.octets.data(), frontend_.spec().mac.octets.size());
  return frontend_.session()->tell(number(Request::SEND_RARP, mac));
}

// The source's process ends.
void Migration::leave() {
  if (destination_.listener) ::unlink(destination_.path.c_str());
  destination_ = {};
  const std::string& file = frontend_.spec().memory.file;
  if (!file.empty() && std::rename((file + ".incoming").c_str(), file.c_str()) != 0)
    report_["error"] = "the memory's file could not take its place: " + std::string(std::strerror(errno));
}

// What the downtime was spent on, and when.
void Migration::lap(const char* part, const char* moment) {
  const uint64_t now = now_ns();
  report_["downtime"][part] = (now - lap_ns_) / 1000;
  moments_[moment] = lap_ns_ = now;
}

void Migration::note_differing(const Pages& pages) {
  differing_.insert(pages.begin(), pages.end());
}

void Migration::compare_rest() {
  const size_t count = std::min(kCompared, rest_.size());
  const uint64_t began_ns = now_ns();
  note_differing(twin_->arrived_differing(std::span(rest_).last(count)));
  rest_.resize(rest_.size() - count);
  if (!rest_.empty()) return throttle(0, began_ns);  // the guest's packets come first
  report_["differing_pages"] = differing_.size();
  report_["identical"] = differing_.empty();
  report_["differing"] = nlohmann::json::array();
  for (const uint64_t page : differing_)
    if (report_["differing"].size() < kNamed) report_["differing"].push_back(twin_->guest_address(page));
  finish("migration.completed");
}

}  // namespace testbed::driver
