// The end of a migration: the rings stop at the source, the rest is copied and compared, the rings go on at
// the destination.
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
constexpr size_t kCompared = 16384;  // pages between two looks at what else there is to do

}  // namespace

Result<void> Migration::switch_over() {
  stopped_ns_ = lap_ns_ = now_ns();
  auto bases = frontend_.stop_rings();
  if (!bases) return tl::unexpected(bases.error());
  frontend_.emit("migration.stopped", {{"bases", *bases}});
  lap("stop_us");
  // What came in since the round's end.
  const Pages late = dirtied();
  queue_.insert(queue_.end(), late.begin(), late.end());
  twin_->copy(queue_);
  report_["pages"] = report_["pages"].get<uint64_t>() + queue_.size();
  report_["last_pages"] = queue_.size();

  lap("copy_us");

  // Pages that somebody will write at once are compared now, all others while the guest runs again.
  busy_ = twin_->holding(areas_of(frontend_.device().layout(), frontend_.spec().net));
  report_["differing_pages"] = 0u;
  report_["differing"] = nlohmann::json::array();
  note_differing(twin_->differing(busy_));

  lap("compare_us");

  auto& told = frontend_.handshake_spec().bases;
  const auto before = told;
  told.clear();
  for (size_t vring = 0; vring < bases->size(); ++vring) told[static_cast<uint16_t>(vring)] = (*bases)[vring];
  auto arrived = arrive();
  told = before;
  return arrived;
}

// Up to here nothing was lost: a destination that fails now sends the guest back.
Result<void> Migration::arrive() {
  const auto exchange = [this] {
    frontend_.data().run([this] {
      twin_->exchange(frontend_.memory());
      frontend_.memory().watch_writes(false);
    });
    frontend_.exchange(destination_);
  };
  exchange();
  lap("exchange_us");
  auto shaken = frontend_.attachment().handshake->run(std::nullopt, "");
  if (!shaken) {
    exchange();
    stop_watching_source();
    if (auto back = frontend_.restart_rings(false); !back) frontend_.disconnect(back.error().message);
    return tl::unexpected(shaken.error());
  }
  lap("handshake_us");
  logging_ = false;
  frontend_.forget_log();
  auto enabled = frontend_.enable_rings();
  lap("enable_us");
  report_["downtime_us"] = (now_ns() - stopped_ns_) / 1000;
  frontend_.emit("migration.switched", {{"downtime_us", report_["downtime_us"]}});
  if (enabled) enabled = announce();
  if (!enabled)
    frontend_.disconnect(enabled.error().message);  // the guest lives here now and waits for its backend
  leave();
  const Pages all = twin_->populated();
  std::ranges::set_difference(all, busy_, std::back_inserter(rest_));
  report_["compared_pages"] = all.size();
  phase_ = Phase::comparing;
  return {};
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

// What the downtime was spent on.
void Migration::lap(const char* part) {
  const uint64_t now = now_ns();
  report_["downtime"][part] = (now - lap_ns_) / 1000;
  lap_ns_ = now;
}

void Migration::note_differing(const Pages& pages) {
  report_["differing_pages"] = report_["differing_pages"].get<uint64_t>() + pages.size();
  for (const uint64_t page : pages)
    if (report_["differing"].size() < kNamed) report_["differing"].push_back(twin_->guest_address(page));
}

void Migration::compare_rest() {
  const size_t count = std::min(kCompared, rest_.size());
  note_differing(twin_->differing(std::span(rest_).last(count)));
  rest_.resize(rest_.size() - count);
  if (!rest_.empty()) return;
  report_["identical"] = report_["differing_pages"] == 0u;
  finish("migration.completed");
}

}  // namespace testbed::driver
