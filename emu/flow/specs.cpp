#include "emu/flow/specs.hpp"

#include "core/base/options.hpp"

namespace testbed::flow {

using nlohmann::json;

namespace {

uint16_t flow_of(Options& options) {
  if (!options.has("flow")) options.mistake("flow", "is missing: the flow's number");
  return static_cast<uint16_t>(options.number("flow", 0, 0, UINT16_MAX));
}

Mac mac_of(Options& options, const std::string& key) {
  const auto mac = parse_mac(options.text(key));
  if (mac && mac->multicast())
    options.mistake(key, "is a group address: a flow goes from one station to another");
  if (mac) return *mac;
  if (options.has(key)) options.mistake(key, mac.error().message);
  return {};
}

// A count per second; whole or not.
double rate_of(Options& options) {
  const json& rate = options.raw("rate_pps");
  if (rate.is_null()) return 0;
  if (rate.is_number() && rate.get<double>() >= 0 && rate.get<double>() <= 1e9) return rate.get<double>();
  options.mistake("rate_pps", "must be a number from 0 to 1e9, not " + rate.dump());
  return 0;
}

std::vector<SizeRange> sizes_of(Options& options, Mistakes& mistakes) {
  const json& sizes = options.raw("sizes");
  if (sizes.is_null()) return {SizeRange{}};
  if (!sizes.is_array() || sizes.empty()) {
    options.mistake("sizes", "must be a list of {min, max, weight} that is not empty");
    return {SizeRange{}};
  }
  std::vector<SizeRange> ranges;
  uint64_t weights = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Options one(sizes[i], options.path_of("sizes") + "[" + std::to_string(i) + "]", mistakes);
    const auto min = static_cast<uint32_t>(one.number("min", 64, kMinFrame, kMaxFrame));
    const auto max = static_cast<uint32_t>(one.number("max", min, kMinFrame, kMaxFrame));
    const auto weight = static_cast<uint32_t>(one.number("weight", 1, 0, 1'000'000));
    if (max < min) one.mistake("max", "is less than min");
    one.done();
    ranges.push_back({min, max, weight});
    weights += weight;
  }
  if (weights == 0) options.mistake("sizes", "has no weight above 0");
  return ranges;
}

}  // namespace

Result<SendSpec> read_send(const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  SendSpec spec;
  spec.flow = flow_of(options);
  spec.name = options.text("name", std::to_string(spec.flow));
  spec.end = options.text("frontend");
  spec.run = static_cast<uint32_t>(options.number("run", 0, 0, UINT32_MAX));
  spec.seed = options.number("seed", 0, 0, UINT64_MAX);
  spec.rate_pps = rate_of(options);
  spec.window = static_cast<uint32_t>(options.number("window", 0, 0, kMaxWindow));
  spec.sizes = sizes_of(options, mistakes);
  spec.source = mac_of(options, "src");
  spec.destination = mac_of(options, "dst");
  spec.streams = static_cast<uint16_t>(options.number("streams", 1, 1, kMaxStreams));
  const json& queue = options.raw("queue");
  if (queue.is_number_integer() && queue.get<int64_t>() >= -1 && queue.get<int64_t>() < 256)
    spec.queue = queue.get<int>();
  else if (!queue.is_null())
    options.mistake("queue", "must be a queue's number, or -1 for all");
  if (options.has("window") == options.has("rate_pps"))
    options.mistake("rate_pps", "or window (a closed loop) is needed, and only one of them");
  else if (options.has("window") && spec.window == 0)
    options.mistake("window", "must not be 0");
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return spec;
}

Result<ExpectSpec> read_expect(const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  ExpectSpec spec;
  spec.flow = flow_of(options);
  spec.name = options.text("name", std::to_string(spec.flow));
  spec.end = options.text("frontend");
  spec.run = static_cast<uint32_t>(options.number("run", 0, 0, UINT32_MAX));
  spec.seed = options.number("seed", 0, 0, UINT64_MAX);
  spec.mac = mac_of(options, "mac");
  spec.streams = static_cast<uint16_t>(options.number("streams", 1, 1, kMaxStreams));
  spec.rate_pps = rate_of(options);
  spec.outage_threshold_ns = options.number("outage_threshold_ns", 0, 0, 3'600'000'000'000);
  if (options.raw("reply_to").is_string()) {
    spec.acknowledge = true;
    spec.reply_to = mac_of(options, "reply_to");
  } else if (!options.raw("reply_to").is_null()) {
    options.mistake("reply_to", "must be the sender's MAC address");
  }
  const json& offset = options.raw("clock_offset_ns");
  if (offset.is_number_integer())
    spec.clock_offset_ns = offset.get<int64_t>();
  else if (!offset.is_null())
    options.mistake("clock_offset_ns", "must be an integer");
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return spec;
}

Result<FlowChange> read_change(const json& params, uint16_t& flow) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  FlowChange change;
  flow = flow_of(options);
  const double rate = rate_of(options);
  if (options.has("rate_pps")) change.rate_pps = rate;
  const json& offset = options.raw("clock_offset_ns");
  if (offset.is_number_integer())
    change.clock_offset_ns = offset.get<int64_t>();
  else if (!offset.is_null())
    options.mistake("clock_offset_ns", "must be an integer");
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return change;
}

}  // namespace testbed::flow
