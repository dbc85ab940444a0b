// Virtio and vhost-user features by the names a scenario gives them: "mrg_rxbuf", "NET_MRG_RXBUF", "bit 37".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace testbed::driver {

// The bits a name stands for; a protocol feature when `protocol`. Nothing: no such name.
std::optional<uint64_t> feature_mask(std::string_view name, bool protocol);
// "0x17c" or "380".
std::optional<uint64_t> parse_mask(const std::string& text);
std::string to_hex(uint64_t mask);
std::vector<std::string> feature_names(uint64_t mask);

}  // namespace testbed::driver
