#include "emu/driver/app/feature_names.hpp"

#include <cctype>
#include <cstdlib>

#include "vdev/wire/vhost_user_names.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::driver {
namespace {

std::string upper(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return all;
}

// NET_MRG_RXBUF is also MRG_RXBUF, RING_PACKED also PACKED.
bool matches(std::string_view full, std::string_view name) {
  if (full == name) return true;
  const auto short_of = [&](std::string_view prefix) {
    return full.starts_with(prefix) && full.substr(prefix.size()) == name;
  };
  return short_of("NET_") || short_of("RING_");
}

}  // namespace

std::optional<uint64_t> feature_mask(std::string_view name, bool protocol) {
  const std::string wanted = upper(name);
  if (wanted.starts_with("BIT ")) {
    const int number = std::atoi(wanted.c_str() + 4);
    if (number >= 0 && number < 64) return uint64_t{1} << number;
  }
  if (protocol) {
    for (size_t i = 0; i < wire::kProtocolFeatureNames.size(); ++i)
      if (wire::kProtocolFeatureNames[i] == wanted) return uint64_t{1} << i;
    return std::nullopt;
  }
  for (const auto& [feature, full] : wire::kFeatureNames)
    if (matches(full, wanted)) return bit(feature);
  return std::nullopt;
}

std::optional<uint64_t> parse_mask(const std::string& text) {
  char* end = nullptr;
  const uint64_t value = std::strtoull(text.c_str(), &end, 0);
  return text.empty() || *end ? std::nullopt : std::optional(value);
}

std::string to_hex(uint64_t mask) {
  char text[19];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(mask));
  return text;
}

std::vector<std::string> feature_names(uint64_t mask) {
  std::vector<std::string> names;
  for (const auto& [feature, name] : wire::kFeatureNames)
    if (mask & bit(feature)) names.emplace_back(name);
  return names;
}

}  // namespace testbed::driver
