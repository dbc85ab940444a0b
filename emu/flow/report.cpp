#include "emu/flow/report.hpp"

#include <string_view>
#include <utility>

namespace testbed::flow {

using nlohmann::json;

namespace {

json count_bins(const RateBins& bins, const char* what) {
  json counts = json::array();
  for (const auto& bin : bins.bins()) counts.push_back(bin.count);
  return {{"start_ns", bins.start_ns()}, {"width_ns", bins.width_ns()}, {what, std::move(counts)}};
}

json arrival_bins(const RateBins& bins) {
  json document = count_bins(bins, "received");
  json& latency = document["latency_max_ns"] = json::array();
  for (const auto& bin : bins.bins()) latency.push_back(uint64_t{bin.peak_us} * 1000);
  return document;
}

json gaps_of(const std::vector<Incarnation>& incarnations) {
  json gaps = json::array();
  for (size_t i = 0; i < incarnations.size(); ++i)
    for (size_t stream = 0; stream < incarnations[i].streams.size(); ++stream)
      for (const Gap& gap : incarnations[i].streams[stream].gaps())
        gaps.push_back({{"incarnation", i},
                        {"stream", stream},
                        {"first", gap.first},
                        {"last", gap.last},
                        {"missing", gap.missing},
                        {"after_ns", gap.after_ns},
                        {"before_ns", gap.before_ns}});
  return gaps;
}

json highest_of(const Incarnation& incarnation) {
  json highest = json::array();
  for (const SequenceTracker& stream : incarnation.streams)
    highest.push_back(stream.next() ? json(stream.next() - 1) : json());
  return highest;
}

json incarnations_of(const std::vector<Incarnation>& incarnations) {
  json all = json::array();
  for (const Incarnation& one : incarnations)
    all.push_back({{"epoch", one.epoch},
                   {"received", one.received},
                   {"lost", one.passed - one.received},
                   {"first_ns", one.first_ns},
                   {"last_ns", one.last_ns},
                   {"highest", highest_of(one)}});
  return all;
}

uint64_t merged_in(const std::vector<Incarnation>& incarnations) {
  uint64_t merged = 0;
  for (const Incarnation& one : incarnations)
    for (const SequenceTracker& stream : one.streams) merged += stream.merged();
  return merged;
}

json outages_of(const OutageDetector& detector, uint64_t now_ns) {
  json outages = json::array();
  for (const Outage& outage : detector.outages())
    outages.push_back({{"start_ns", outage.start_ns}, {"end_ns", outage.end_ns}});
  if (detector.last_ns() && now_ns > detector.last_ns() + detector.threshold_ns())
    outages.push_back({{"start_ns", detector.last_ns()}, {"end_ns", nullptr}});
  return outages;
}

json percentiles(const LatencyHistogram& latency) {
  return {{"p50", latency.percentile(50)},
          {"p90", latency.percentile(90)},
          {"p99", latency.percentile(99)},
          {"p999", latency.percentile(99.9)},
          {"max", latency.max_ns()}};
}

json foreign_of(const std::vector<ForeignArrival>& foreign) {
  json all = json::array();
  for (const ForeignArrival& one : foreign)
    all.push_back({{"flow", one.flow}, {"stream", one.stream}, {"seq", one.sequence}, {"t", one.t_ns}});
  return all;
}

}  // namespace

json sender_report(const SenderRecord& record) {
  return {
      {"flow", record.flow},         {"name", record.name},       {"frontend", record.end},
      {"epoch", record.epoch},       {"sent", record.sent},       {"sent_bytes", record.sent_bytes},
      {"blocked", record.blocked},   {"skipped", record.skipped}, {"timeouts", record.timeouts},
      {"first_ns", record.first_ns}, {"last_ns", record.last_ns}, {"bins", count_bins(record.bins, "sent")},
      {"queues", record.queues},     {"next", record.next}};
}

json receiver_report(const ReceiverRecord& record, const std::vector<ForeignArrival>& foreign,
                     uint64_t now_ns) {
  const auto& incarnations = record.incarnations;
  const uint64_t merged = merged_in(incarnations);
  return {
      {"flow", record.flow},
      {"name", record.name},
      {"frontend", record.end},
      {"received", record.received},
      {"received_bytes", record.received_bytes},
      {"lost", record.missing()},
      {"duplicated", record.duplicated},
      {"reordered", record.reordered},
      {"corrupted", record.corrupted},
      {"foreign", foreign.size()},
      {"unclear", record.unclear},
      {"strangers", record.strangers},
      {"merged", merged},
      {"exact", merged == 0 && record.unclear == 0 && record.strangers == 0 && record.outages.dropped() == 0},
      {"first_ns", record.first_ns},
      {"last_ns", record.last_ns},
      {"highest", incarnations.empty() ? json::array() : highest_of(incarnations.back())},
      {"gaps", gaps_of(incarnations)},
      {"incarnations", incarnations_of(incarnations)},
      {"outages", outages_of(record.outages, now_ns)},
      {"outage_threshold_ns", record.outages.threshold_ns()},
      {"latency", record.latency.encoded()},
      {"latency_ns", percentiles(record.latency)},
      {"negative_latency", record.negative_latency},
      {"bins", arrival_bins(record.bins)},
      {"queues", record.queues},
      {"foreign_arrivals", foreign_of(foreign)}};
}

}  // namespace testbed::flow
