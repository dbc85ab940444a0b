// Methods that look at or change rings and guest memory, between two polls of the data thread.
#include "core/base/options.hpp"
#include "emu/driver/app/driver_service.hpp"
#include "emu/driver/app/page_report.hpp"
#include "emu/driver/app/payload.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::driver::command {

namespace {

Result<Vring*> vring_of(Frontend& frontend, const json& params) {
  const auto index = params.contains("vring") ? read_integer(params["vring"]) : Result<uint64_t>(uint64_t{0});
  if (!index || *index >= frontend.device().vrings())
    return fail(Errc::not_found,
                frontend.spec().name + " has " + std::to_string(frontend.device().vrings()) + " vrings");
  Vring& vring = frontend.device().vring(*index);
  if (!vring.ring())
    return fail(Errc::not_found, "the rings are made by the handshake, which has not come that far");
  return &vring;
}

uint16_t short_of(const json& value, const char* key) {
  return static_cast<uint16_t>(read_integer(value.at(key)).value_or(0));
}

// {"addr", "len", "flags"} or {"addr", "len", "write", "next", "indirect"}; "next_index", "id" override.
Result<RawDescriptor> read_descriptor(const json& item, bool last) {
  if (!item.is_object()) return fail(Errc::invalid_argument, "a descriptor is an object");
  RawDescriptor raw;
  const auto address = read_integer(item.value("addr", json(0u)));
  const auto length = read_integer(item.value("len", json(0u)));
  if (!address || !length) return fail(Errc::invalid_argument, "addr and len of a descriptor are integers");
  raw.address = *address;
  raw.length = static_cast<uint32_t>(*length);
  raw.flags = static_cast<uint16_t>((item.value("write", false) ? wire::kDescWrite : 0) |
                                    (item.value("next", !last) ? wire::kDescNext : 0) |
                                    (item.value("indirect", false) ? wire::kDescIndirect : 0));
  if (item.contains("flags")) raw.flags = short_of(item, "flags");
  if (item.contains("next_index")) raw.next = short_of(item, "next_index");
  if (item.contains("id")) raw.id = short_of(item, "id");
  return raw;
}

Result<uint8_t*> bytes_at(Frontend& frontend, const json& params, uint64_t length) {
  const auto gpa =
      params.contains("gpa") ? read_integer(params["gpa"]) : fail(Errc::invalid_argument, "gpa is missing");
  if (!gpa) return tl::unexpected(gpa.error());
  uint8_t* where = frontend.memory().at(*gpa, length);
  if (!where) return fail(Errc::invalid_argument, "no region holds all of these octets");
  return where;
}

// Sent chains are taken back when there is something to send: whoever asks wants to know now.
void reclaim(NetDevice& device) {
  for (size_t i = 1; i < device.vrings(); i += 2)
    if (device.vring(i).ring()) device.tx(i / 2).reclaim();
}

json place_of(const RingPlace& place) {
  return {{"descriptors", place.descriptors},
          {"available", place.available},
          {"used", place.used},
          {"tables", place.tables},
          {"log", place.log}};
}

json faults_of(const Vring& vring, const RxQueue* rx) {
  const RingFaults& ring = vring.ring()->faults();
  json faults = {
      {"unknown_id", ring.unknown_id}, {"overrun", ring.overrun}, {"long_length", ring.long_length}};
  const Stillness::Faults still = vring.stillness().faults(*vring.ring());
  faults["wrong_base"] = still.wrong_base;
  faults["after_stop"] = still.after_stop;
  faults["on_disabled"] = still.on_disabled;
  if (!rx) return faults;
  faults["short_chain"] = rx->rx_faults().short_chain;
  faults["bad_buffers"] = rx->rx_faults().bad_buffers;
  faults["too_long"] = rx->rx_faults().too_long;
  faults["gso"] = rx->rx_faults().gso;
  return faults;
}

json ring_of(Frontend& frontend, size_t index) {
  Vring& vring = frontend.device().vring(index);
  json entry = {
      {"vring", index}, {"kind", index % 2 ? "tx" : "rx"}, {"place", place_of(vring.layout().ring)}};
  if (!vring.ring()) return entry;
  const Ring& ring = *vring.ring();
  json returns = json::array();
  for (const RawReturn& back : vring.raw_returns())
    returns.push_back({{"token", back.token}, {"length", back.length}, {"t", back.t_ns}});
  entry.update({{"size", ring.size()},
                {"packed", ring.options().packed},
                {"next", ring.next_position()},
                {"resume", ring.resume_position()},
                {"outstanding", ring.outstanding()},
                {"room", ring.room()},
                {"kicks", vring.kicks()},
                {"calls", vring.calls()},
                {"taken", vring.taken()},
                {"errors", vring.errors()},
                {"returned", std::move(returns)},
                {"faults", faults_of(vring, index % 2 ? nullptr : &frontend.device().rx(index / 2))}});
  return entry;
}

}  // namespace

Result<json> chain(Frontend& frontend, const json& params) {
  const auto vring = vring_of(frontend, params);
  if (!vring) return tl::unexpected(vring.error());
  const json list = params.value("descriptors", json::array());
  if (!list.is_array() || list.empty())
    return fail(Errc::invalid_argument, "descriptors must be a list, not empty");
  std::vector<RawDescriptor> descriptors;
  for (size_t i = 0; i < list.size(); ++i) {
    auto raw = read_descriptor(list[i], i + 1 == list.size());
    if (!raw) return tl::unexpected(raw.error());
    descriptors.push_back(*raw);
  }
  RawOptions how;
  if (params.contains("head")) how.head = short_of(params, "head");
  if (params.contains("avail_index")) how.avail_index = short_of(params, "avail_index");
  how.exact_flags = params.value("exact_flags", false);
  how.publish = params.value("publish", true);
  const auto token = (*vring)->post_raw(descriptors, how, params.value("kick", true));
  if (!token) return tl::unexpected(token.error());
  return json{{"token", *token}};
}

Result<json> kick(Frontend& frontend, const json& params) {
  const auto vring = vring_of(frontend, params);
  if (!vring) return tl::unexpected(vring.error());
  const uint64_t times = params.value("times", uint64_t{1});
  for (uint64_t i = 0; i < times; ++i) (*vring)->kick();
  return json{{"kicks", (*vring)->kicks()}};
}

Result<json> poke(Frontend& frontend, const json& params) {
  const auto bytes = from_hex(params.value("bytes", ""));
  if (!bytes) return tl::unexpected(bytes.error());
  const auto where = bytes_at(frontend, params, bytes->size());
  if (!where) return tl::unexpected(where.error());
  frontend.memory().copy_in(*where, bytes->data(), bytes->size());
  return json::object();
}

Result<json> peek(Frontend& frontend, const json& params) {
  const uint64_t length = params.value("length", uint64_t{1});
  if (length > 65536) return fail(Errc::invalid_argument, "at most 65536 octets at a time");
  const auto where = bytes_at(frontend, params, length);
  if (!where) return tl::unexpected(where.error());
  return json{{"bytes", to_hex_bytes(*where, length)}};
}

Result<json> snapshot(Frontend& frontend, const json&) {
  if (auto taken = frontend.memory().snapshot(); !taken) return tl::unexpected(taken.error());
  for (size_t i = 0; i < frontend.device().vrings(); ++i) frontend.device().vring(i).clear_ledger();
  return json::object();
}

Result<json> diff(Frontend& frontend, const json& params) {
  if (!frontend.memory().has_snapshot())
    return fail(Errc::not_found, "there is no snapshot; driver.snapshot makes one");
  reclaim(frontend.device());
  const PageVerdict verdict = judge_pages(frontend.device());
  json report = to_json(verdict, frontend.memory());
  if (!verdict.stray.empty() || verdict.posted > 0) report["last"] = last_chains(frontend.device());
  if (params.value("renew", false))
    if (const auto renewed = snapshot(frontend, params); !renewed) return renewed;
  return report;
}

Result<json> rings(Frontend& frontend, const json& params) {
  json list = json::array();
  reclaim(frontend.device());
  const bool all = !params.contains("vring");
  if (!all)
    if (const auto vring = vring_of(frontend, params); !vring) return tl::unexpected(vring.error());
  for (size_t i = 0; i < frontend.device().vrings(); ++i)
    if (all || i == *read_integer(params["vring"])) list.push_back(ring_of(frontend, i));
  return json{{"rings", std::move(list)}, {"link", frontend.device().link_up()}};
}

}  // namespace testbed::driver::command
