#include "emu/flow/service.hpp"

#include <optional>
#include <set>

#include "core/base/options.hpp"
#include "emu/flow/report.hpp"
#include "emu/flow/specs.hpp"

namespace testbed::flow {

using nlohmann::json;

namespace {

// {"flow": id} or {}.
Result<std::optional<uint16_t>> read_which(const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  std::optional<uint16_t> which;
  const auto id = static_cast<uint16_t>(options.number("flow", 0, 0, UINT16_MAX));
  if (options.has("flow")) which = id;
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return which;
}

Result<json> empty_or_error(const Result<void>& result) {
  if (!result) return tl::unexpected(result.error());
  return json::object();
}

json status_of(const End& end) {
  const EndCounters& c = end.counters();
  return {{"link", end.link_up()},
          {"mac", to_string(end.mac())},
          {"queues", end.transport().queues()},
          {"max_frame", end.transport().max_frame()},
          {"tx_packets", c.tx_packets},
          {"rx_packets", c.rx_packets},
          {"tx_bytes", c.tx_bytes},
          {"rx_bytes", c.rx_bytes},
          {"tx_full", c.tx_full},
          {"hellos", c.hellos},
          {"acks", c.acks},
          {"hello_rx", c.hello_rx},
          {"ack_rx", c.ack_rx},
          {"other_rx", c.other_rx},
          {"foreign_rx", c.foreign_rx},
          {"corrupted_rx", c.corrupted_rx}};
}

}  // namespace

FlowService::FlowService(FlowEngine& engine, OnEngine on_engine)
    : engine_(engine), on_engine_(std::move(on_engine)) {
}

std::vector<std::pair<std::string, FlowService::Handler>> FlowService::methods() {
  const auto bind = [this](auto method) {
    return [this, method](const json& params) -> Result<json> { return (this->*method)(params); };
  };
  return {{"flow.send", bind(&FlowService::send)},        {"flow.expect", bind(&FlowService::expect)},
          {"flow.remove", bind(&FlowService::remove)},    {"flow.start", bind(&FlowService::start)},
          {"flow.stop", bind(&FlowService::stop)},        {"flow.set", bind(&FlowService::set)},
          {"flow.announce", bind(&FlowService::announce)},
          {"flow.counts", bind(&FlowService::counts)},    {"flow.report", bind(&FlowService::report)},
          {"frontend.status", bind(&FlowService::status)}};
}

Result<json> FlowService::send(const json& params) {
  const auto spec = read_send(params);
  if (!spec) return tl::unexpected(spec.error());
  Result<void> done;
  on_engine_([&] { done = engine_.send(*spec); });
  return empty_or_error(done);
}

Result<json> FlowService::expect(const json& params) {
  const auto spec = read_expect(params);
  if (!spec) return tl::unexpected(spec.error());
  Result<void> done;
  on_engine_([&] { done = engine_.expect(*spec); });
  return empty_or_error(done);
}

Result<json> FlowService::remove(const json& params) {
  const auto which = read_which(params);
  if (!which) return tl::unexpected(which.error());
  if (!*which) return fail(Errc::invalid_argument, "flow is missing: the flow's number");
  Result<void> done;
  on_engine_([&] { done = engine_.remove(**which); });
  return empty_or_error(done);
}

Result<json> FlowService::start(const json& params) {
  const auto which = read_which(params);
  if (!which) return tl::unexpected(which.error());
  Result<uint64_t> t;
  on_engine_([&] { t = engine_.start(*which ? &**which : nullptr); });
  if (!t) return tl::unexpected(t.error());
  return json{{"t", *t}};
}

Result<json> FlowService::stop(const json& params) {
  const auto which = read_which(params);
  if (!which) return tl::unexpected(which.error());
  Result<uint64_t> t;
  on_engine_([&] { t = engine_.stop(*which ? &**which : nullptr); });
  if (!t) return tl::unexpected(t.error());
  return json{{"t", *t}};
}

Result<json> FlowService::set(const json& params) {
  uint16_t flow = 0;
  const auto change = read_change(params, flow);
  if (!change) return tl::unexpected(change.error());
  Result<void> done;
  on_engine_([&] { done = engine_.set(flow, *change); });
  return empty_or_error(done);
}

Result<json> FlowService::announce(const json&) {
  on_engine_([&] { engine_.announce(); });
  return json::object();
}

Result<json> FlowService::counts(const json&) {
  json all = json::object();
  on_engine_([&] {
    for (const auto& [id, sender] : engine_.senders()) {
      json& flow = all[std::to_string(id)];
      flow["sent"] = sender->record().sent;
      flow["blocked"] = sender->record().blocked;
    }
    for (const auto& [id, receiver] : engine_.receivers()) {
      const ReceiverRecord& record = receiver->record();
      json& flow = all[std::to_string(id)];
      flow["received"] = record.received;
      flow["lost"] = record.missing();
      flow["duplicated"] = record.duplicated;
      flow["reordered"] = record.reordered;
      flow["corrupted"] = record.corrupted;
    }
  });
  return all;
}

Result<json> FlowService::report(const json& params) {
  const auto which = read_which(params);
  if (!which) return tl::unexpected(which.error());
  std::set<uint16_t> ids;
  on_engine_([&] {
    for (const auto& [id, sender] : engine_.senders()) ids.insert(id);
    for (const auto& [id, receiver] : engine_.receivers()) ids.insert(id);
  });
  if (*which && !ids.contains(**which))
    return fail(Errc::not_found, "no flow " + std::to_string(**which) + " here");
  if (*which) ids = {**which};
  json all = json::object();
  // One flow at a time: copying all of them would keep the engine from its rings for too long.
  for (const uint16_t id : ids) {
    std::optional<SenderRecord> sent;
    std::optional<ReceiverRecord> received;
    std::vector<ForeignArrival> foreign;
    uint64_t now = 0;
    on_engine_([&] {
      now = engine_.now();
      if (const auto found = engine_.senders().find(id); found != engine_.senders().end())
        sent = found->second->record();
      const auto found = engine_.receivers().find(id);
      if (found == engine_.receivers().end()) return;
      received = found->second->record();
      foreign = engine_.ends().at(received->end)->foreign();
    });
    json& flow = all[std::to_string(id)] = json::object();
    if (sent) flow["sender"] = sender_report(*sent);
    if (received) flow["receiver"] = receiver_report(*received, foreign, now);
  }
  return all;
}

Result<json> FlowService::status(const json&) {
  json all = json::object();
  on_engine_([&] {
    for (const auto& [name, end] : engine_.ends()) all[name] = status_of(*end);
  });
  return all;
}

}  // namespace testbed::flow
