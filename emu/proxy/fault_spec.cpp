#include "emu/proxy/fault_spec.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "core/base/options.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::proxy {

using nlohmann::json;

namespace {

constexpr uint64_t kMaxMs = 24ull * 3600 * 1000;
constexpr std::array<std::string_view, 8> kKinds = {
    "cut", "hold", "delay", "drop_reply", "duplicate_reply", "lose_fd", "corrupt", "slow"};

std::optional<FaultKind> kind_named(std::string_view name) {
  const auto found = std::ranges::find(kKinds, name);
  if (found == kKinds.end()) return std::nullopt;
  return static_cast<FaultKind>(found - kKinds.begin());
}

std::string all_kinds() {
  std::string all;
  for (const auto kind : kKinds) all += (all.empty() ? "" : ", ") + std::string(kind);
  return all;
}

// A message's number in the session, or its name.
void read_message(Options& options, const std::string& key, Selector& which) {
  const json& value = options.raw(key);
  if (value.is_null()) return;
  if (value.is_number_integer() && value > 0) {
    which.from_n = value.get<uint64_t>();
    return;
  }
  if (value.is_string()) {
    const auto found = std::ranges::find(wire::kRequestNames, value.get<std::string>());
    if (found != wire::kRequestNames.end() && found != wire::kRequestNames.begin()) {
      which.request = static_cast<uint32_t>(found - wire::kRequestNames.begin());
      return;
    }
  }
  options.mistake(
      key, "must be a message's number in the session (from 1) or its name, such as SET_MEM_TABLE, not " +
               value.dump());
}

void read_direction(Options& options, Selector& which) {
  const std::string dir = options.choice("dir", {"frontend", "backend"}, "");
  if (!dir.empty()) which.from = dir == "frontend" ? Side::front : Side::back;
}

void read_cut(Options& options, FaultSpec& spec) {
  spec.before = options.has("before_message");
  if (spec.before == options.has("after_message"))
    options.mistake("after_message", "a cut needs exactly one of after_message and before_message");
  read_message(options, "after_message", spec.which);
  read_message(options, "before_message", spec.which);
}

void read_pattern(Options& options, FaultSpec& spec) {
  const std::string text = options.text("bytes");
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    uint8_t value = 0;
    const char* const end = text.data() + i + 2;
    if (std::from_chars(text.data() + i, end, value, 16).ptr != end) break;
    spec.pattern.push_back(std::byte{value});
  }
  if (!text.empty() && spec.pattern.size() * 2 != text.size())
    options.mistake("bytes", "must be pairs of hexadecimal digits, such as \"ff00\"");
}

void need_message(Options& options, const FaultSpec& spec) {
  if (spec.which.anything())
    options.mistake("message", "is missing: a message's number in the session, or its name");
}

void read_options(Options& options, FaultSpec& spec) {
  if (spec.kind == FaultKind::cut)
    read_cut(options, spec);
  else if (spec.kind != FaultKind::slow)
    read_message(options, "message", spec.which);
  switch (spec.kind) {
    case FaultKind::cut:
      break;
    case FaultKind::hold:
      need_message(options, spec);
      if (options.has("bytes")) spec.bytes = options.number("bytes", 0, 0, UINT32_MAX);
      break;
    case FaultKind::delay:
      spec.delay_ns = options.number("ms", 0, 1, kMaxMs) * 1'000'000;
      break;
    case FaultKind::drop_reply:
    case FaultKind::duplicate_reply:
      spec.which.from = Side::back;
      return;
    case FaultKind::lose_fd:
      if (options.has("index")) spec.descriptor = options.number("index", 0, 0, UINT32_MAX);
      break;
    case FaultKind::corrupt:
      need_message(options, spec);
      spec.offset = options.number("offset", 0, 0, UINT32_MAX);
      read_pattern(options, spec);
      break;
    case FaultKind::slow:
      spec.bytes_per_s = options.number("bytes_per_s", 0, 1, UINT32_MAX);
      break;
  }
  read_direction(options, spec.which);
}

}  // namespace

std::string_view to_string(FaultKind kind) {
  return kKinds[static_cast<size_t>(kind)];
}

std::optional<FaultSpec> parse_fault(const json& fault, const std::string& path, Mistakes& mistakes) {
  const size_t before = mistakes.size();
  Options options(fault, path, mistakes);
  const std::string name = options.text("kind");
  const auto kind = kind_named(name);
  if (!kind) {
    if (!name.empty()) options.mistake("kind", "must be one of " + all_kinds() + ", not " + name);
    return std::nullopt;
  }
  FaultSpec spec{.kind = *kind, .given = fault};
  read_options(options, spec);
  spec.times = options.number("times", 1, 1, UINT32_MAX);
  if (*kind == FaultKind::hold || spec.lasting())
    spec.for_ns = options.number("for_ms", 0, 1, kMaxMs) * 1'000'000;
  if (*kind == FaultKind::delay && !options.has("ms")) options.mistake("ms", "is missing");
  if (*kind == FaultKind::slow && !options.has("bytes_per_s")) options.mistake("bytes_per_s", "is missing");
  options.done();
  if (mistakes.size() != before) return std::nullopt;
  return spec;
}

}  // namespace testbed::proxy
