#include "emu/flow/mac.hpp"

#include <charconv>
#include <cstdio>
#include <utility>

namespace testbed::flow {

Result<Mac> parse_mac(std::string_view text) {
  Mac mac;
  bool good = text.size() == 17;
  for (size_t i = 0; good && i < 6; ++i) {
    const char* at = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(at, at + 2, mac.octets[i], 16);
    good = error == std::errc() && end == at + 2 && (i == 5 || at[2] == ':');
  }
  if (good) return mac;
  std::string message = "'";
  message.append(text).append("' is not a MAC address like 02:00:00:00:00:01");
  return fail(Errc::invalid_argument, std::move(message));
}

std::string to_string(const Mac& mac) {
  char text[18];
  const auto& o = mac.octets;
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
  return text;
}

}  // namespace testbed::flow
