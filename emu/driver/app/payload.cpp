#include "emu/driver/app/payload.hpp"

#include "core/base/options.hpp"
#include "emu/driver/app/feature_names.hpp"

namespace testbed::driver {

using nlohmann::json;
using wire::Request;

namespace {

// Fields of one payload, with the mistakes of all of them.
class Fields {
 public:
  Fields(const json& object, const std::string& path, Mistakes& mistakes)
      : options_(object, path, mistakes) {}
  ~Fields() { options_.done(); }

  uint64_t integer(const std::string& key, uint64_t fallback = 0) {
    const json& value = options_.raw(key);
    if (value.is_null()) return fallback;
    const auto number = read_integer(value);
    if (!number) options_.mistake(key, number.error().message);
    return number.value_or(fallback);
  }
  uint32_t integer32(const std::string& key, uint32_t fallback = 0) {
    return static_cast<uint32_t>(integer(key, fallback));
  }
  const json& raw(const std::string& key) { return options_.raw(key); }
  std::string path(const std::string& key) const { return options_.path_of(key); }
  void mistake(const std::string& key, std::string text) { options_.mistake(key, std::move(text)); }

 private:
  Options options_;
};

wire::MemoryRegion read_region(Fields& fields) {
  return {fields.integer("gpa"), fields.integer("size"), fields.integer("user"), fields.integer("offset")};
}

Message read_table(Fields& fields, const PayloadDefaults& defaults, Mistakes& mistakes) {
  std::vector<wire::MemoryRegion> regions = defaults.regions;
  const json& list = fields.raw("regions");
  if (list.is_array()) {
    regions.clear();
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i] == "guest") {  // the frontend's own, among those of the script
        regions.insert(regions.end(), defaults.regions.begin(), defaults.regions.end());
        continue;
      }
      Fields region(list[i], fields.path("regions[" + std::to_string(i) + "]"), mistakes);
      regions.push_back(read_region(region));
    }
  }
  Message message = memory_table(regions, -1);
  const uint32_t count = fields.integer32("count", static_cast<uint32_t>(regions.size()));
  std::memcpy(message.payload.data(), &count, sizeof count);
  return message;
}

Message read_address(Fields& fields, const PayloadDefaults& defaults) {
  const uint32_t index = fields.integer32("index");
  wire::VringAddr usual{};
  if (index < defaults.addresses.size()) usual = defaults.addresses[index];
  return vring_address({index, fields.integer32("flags", usual.flags),
                        fields.integer("descriptor", usual.descriptor), fields.integer("used", usual.used),
                        fields.integer("available", usual.available), fields.integer("log", usual.log)});
}

Message read_config(Request request, Fields& fields) {
  const json& hex = fields.raw("bytes");
  const auto bytes = from_hex(hex.is_string() ? hex.get<std::string>() : "");
  if (!bytes) fields.mistake("bytes", bytes.error().message);
  const auto content = bytes.value_or(std::vector<uint8_t>{});
  return config(request,
                {fields.integer32("offset"), fields.integer32("size", static_cast<uint32_t>(content.size())),
                 fields.integer32("flags")},
                content);
}

Message read_fields(uint32_t number_of, Fields& fields, const PayloadDefaults& defaults, Mistakes& mistakes) {
  const auto request = static_cast<Request>(number_of);
  switch (payload_kind(number_of)) {
    case PayloadKind::none:
      return plain(request);
    case PayloadKind::number:
      return number(request, fields.integer("u64"));
    case PayloadKind::vring_state:
      return vring_state(request, fields.integer32("index"), fields.integer32("num"));
    case PayloadKind::vring_address:
      return read_address(fields, defaults);
    case PayloadKind::vring_file:
      return number(request, fields.integer("index") | (fields.integer("nofd") ? wire::kVringNoFd : 0));
    case PayloadKind::memory_table:
      return read_table(fields, defaults, mistakes);
    case PayloadKind::memory_region:
      return memory_region(request, read_region(fields), -1);
    case PayloadKind::log:
      return log_base(
          {fields.integer("size", defaults.log.size), fields.integer("offset", defaults.log.offset)}, -1);
    case PayloadKind::iotlb:
      return iotlb({fields.integer("iova"), fields.integer("size"), fields.integer("user"),
                    static_cast<uint8_t>(fields.integer("permission")),
                    static_cast<uint8_t>(fields.integer("type"))});
    case PayloadKind::inflight:
      return inflight(request,
                      {fields.integer("mmap_size", defaults.inflight.mmap_size),
                       fields.integer("mmap_offset", defaults.inflight.mmap_offset),
                       static_cast<uint16_t>(fields.integer("num_queues", defaults.inflight.num_queues)),
                       static_cast<uint16_t>(fields.integer("queue_size", defaults.inflight.queue_size))},
                      -1);
    case PayloadKind::config:
      return read_config(request, fields);
    case PayloadKind::device_state:
      return device_state({fields.integer32("direction"), fields.integer32("phase")}, -1);
  }
  return plain(request);
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<uint64_t> read_integer(const json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_boolean()) return uint64_t{value.get<bool>()};
  const auto parsed = value.is_string() ? parse_mask(value.get<std::string>()) : std::nullopt;
  if (parsed) return *parsed;
  return fail(Errc::invalid_argument, "must be an integer of 64 bits, or one in a string as \"0x1000\"");
}

Result<std::vector<uint8_t>> from_hex(const std::string& text) {
  std::vector<uint8_t> bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int value = nibble(c);
    if (value < 0) return fail(Errc::invalid_argument, "must be hexadecimal digits");
    if (high >= 0) bytes.push_back(static_cast<uint8_t>(high << 4 | value));
    high = high >= 0 ? -1 : value;
  }
  if (high >= 0) return fail(Errc::invalid_argument, "must be an even number of hexadecimal digits");
  return bytes;
}

std::string to_hex_bytes(const uint8_t* bytes, size_t length) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < length; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

Result<std::vector<uint8_t>> read_payload(uint32_t request, const json& payload,
                                          const PayloadDefaults& defaults) {
  if (payload.is_object() && payload.contains("hex")) {
    if (!payload["hex"].is_string()) return fail(Errc::invalid_argument, "payload.hex must be a string");
    return from_hex(payload["hex"].get<std::string>());
  }
  json object = payload.is_null() ? json::object() : payload;
  if (!object.is_object()) object = json{{"u64", payload}};
  Mistakes mistakes;
  Message message;
  {
    Fields fields(object, "payload", mistakes);
    message = read_fields(request, fields, defaults, mistakes);
  }
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return message.payload;
}

}  // namespace testbed::driver
