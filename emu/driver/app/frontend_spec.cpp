#include "emu/driver/app/frontend_spec.hpp"

#include "core/base/options.hpp"
#include "emu/driver/app/feature_names.hpp"
#include "emu/driver/session/message.hpp"
#include "vdev/wire/virtio_features.hpp"
#include "vdev/wire/virtqueue.hpp"

namespace testbed::driver {

using nlohmann::json;
using wire::bit;
using wire::Feature;
using wire::ProtocolFeature;

namespace {

// Everything this driver can do for a net device. Not in it: postcopy, whose faults nobody here serves, and
// in-band notifications, which would put a message on the socket for every burst.
constexpr uint64_t kProtocol = bit(ProtocolFeature::MQ) | bit(ProtocolFeature::LOG_SHMFD) |
                               bit(ProtocolFeature::RARP) | bit(ProtocolFeature::REPLY_ACK) |
                               bit(ProtocolFeature::MTU) | bit(ProtocolFeature::BACKEND_REQ) |
                               bit(ProtocolFeature::INFLIGHT_SHMFD) | bit(ProtocolFeature::RESET_DEVICE) |
                               bit(ProtocolFeature::CONFIGURE_MEM_SLOTS) | bit(ProtocolFeature::STATUS);

void read_mask(Options& options, const std::string& key, std::optional<uint64_t>& mask) {
  const json& value = options.raw(key);
  if (value.is_null()) return;
  if (value.is_string()) mask = parse_mask(value.get<std::string>());
  if (!mask) options.mistake(key, "must be a mask in a string, as \"0x100000000\"");
}

uint64_t read_names(Options& options, const std::string& key, bool protocol) {
  uint64_t mask = 0;
  const json& names = options.raw(key);
  if (names.is_null()) return 0;
  if (!names.is_array()) options.mistake(key, "must be a list of feature names");
  for (const json& name : names.is_array() ? names : json::array()) {
    const auto bits = name.is_string() ? feature_mask(name.get<std::string>(), protocol) : std::nullopt;
    if (bits)
      mask |= *bits;
    else
      options.mistake(key, "has no feature " + name.dump());
  }
  return mask;
}

void read_cut(Options& options, const std::string& key, std::vector<uint32_t>& cut) {
  const json& value = options.raw(key);
  if (value.is_null()) return;
  if (!value.is_array() || value.size() >= kMaxSegments)
    return options.mistake(key, "must be a list of at most 63 lengths");
  for (const json& length : value) {
    if (!length.is_number_unsigned() || length == 0 || length > 65535)
      return options.mistake(key, "holds lengths of 1 to 65535 octets");
    cut.push_back(length.get<uint32_t>());
  }
}

void read_features(Options& options, FrontendSpec& spec) {
  uint64_t wanted = bit(Feature::VERSION_1) | bit(Feature::PROTOCOL_FEATURES);
  if (options.choice("ring", {"split", "packed"}, "split") == "packed") wanted |= bit(Feature::RING_PACKED);
  if (options.flag("in_order", false)) wanted |= bit(Feature::IN_ORDER);
  if (options.flag("mergeable", true)) wanted |= bit(Feature::NET_MRG_RXBUF);
  if (options.flag("indirect", true)) wanted |= bit(Feature::RING_INDIRECT_DESC);
  if (options.flag("event_idx", false)) wanted |= bit(Feature::RING_EVENT_IDX);
  if (spec.net.queues > 1) wanted |= bit(Feature::NET_MQ);
  if (spec.handshake.mtu) wanted |= bit(Feature::NET_MTU);
  wanted |= read_names(options, "with", false);
  spec.handshake.wanted = wanted & ~read_names(options, "without", false);
  spec.handshake.wanted_protocol = (kProtocol | read_names(options, "with_protocol", true)) &
                                   ~read_names(options, "without_protocol", true);
  read_mask(options, "features", spec.handshake.exact);
  read_mask(options, "protocol_features", spec.handshake.exact_protocol);
}

void read_places(Options& options, NetSpec& net, Mistakes& mistakes) {
  const json& rings = options.raw("rings");
  if (rings.is_null()) return;
  if (!rings.is_object()) return options.mistake("rings", "must be an object: vring number to addresses");
  for (const auto& item : rings.items()) {
    const auto index = parse_mask(item.key());
    if (!index || *index >= 2u * net.queues) {
      options.mistake("rings", "has no vring " + item.key());
      continue;
    }
    Options place(item.value(), options.path_of("rings." + item.key()), mistakes);
    RingPlace& ring = net.places[static_cast<uint16_t>(*index)];
    ring.descriptors = place.number("descriptors", 0, 1, UINT64_MAX);
    ring.available = place.number("available", 0, 1, UINT64_MAX);
    ring.used = place.number("used", 0, 1, UINT64_MAX);
    ring.log = place.number("log", 0, 1, UINT64_MAX);
    place.done();
  }
}

void read_net(Options& options, NetSpec& net, Mistakes& mistakes) {
  net.queues = static_cast<uint16_t>(options.number("queues", 1, 1, wire::kMaxQueuePairs));
  net.size = static_cast<uint16_t>(options.number("size", 256, 1, wire::kMaxQueueSize));
  net.max_frame = static_cast<uint32_t>(options.number("max_frame", 9000, 60, 65535));
  const bool mergeable = options.flag("mergeable", true);
  const uint32_t whole = (net.max_frame + 12 + 63) / 64 * 64;
  net.rx_buffer = static_cast<uint32_t>(options.number("rx_buffer", mergeable ? 2048 : whole, 13, 1u << 20));
  net.buffer_offset = static_cast<uint32_t>(options.number("buffer_offset", 0, 0, 65535));
  net.scratch = options.number("scratch", 65536, 4096, 1u << 30) / kPage * kPage;
  read_cut(options, "tx_cut", net.tx_cut);
  read_cut(options, "rx_cut", net.rx_cut);
  read_places(options, net, mistakes);
}

void read_memory(Options& options, FrontendSpec& spec, const std::string& directory, int inherited,
                 Mistakes& mistakes) {
  const uint64_t memory = options.number("memory", 0, kPage, uint64_t{1} << 40);
  const json& regions = options.raw("regions");
  for (size_t i = 0; regions.is_array() && i < regions.size(); ++i) {
    Options one(regions[i], options.path_of("regions[" + std::to_string(i) + "]"), mistakes);
    const uint64_t before =
        spec.memory.regions.empty() ? 0 : spec.memory.regions.back().offset + spec.memory.regions.back().size;
    const uint64_t gpa = one.number("gpa", 0, 0, UINT64_MAX - 1);
    spec.memory.regions.push_back({gpa, one.number("size", 0, kPage, uint64_t{1} << 40),
                                   one.number("offset", before, 0, uint64_t{1} << 40)});
    one.done();
  }
  if (!regions.is_null() && (!regions.is_array() || regions.empty() || regions.size() > wire::kMaxRegions))
    options.mistake("regions", "must be a list of 1 to 8 regions");
  if (spec.memory.regions.empty()) spec.memory.regions = {{0, memory ? memory : memory_needed(spec.net), 0}};
  spec.memory.sealed = options.flag("sealed", false);
  spec.fill = options.flag("fill", false);
  spec.memory.inherited = inherited;
  const bool file = options.choice("backing", {"memfd", "file"}, "memfd") == "file";
  if (file) spec.memory.file = directory + "/" + spec.name + ".memory";
  if (file || inherited >= 0) spec.state_file = directory + "/" + spec.name + ".state";
}

void read_order(Options& options, HandshakeSpec& handshake) {
  handshake.vring_order = usual_vring_order();
  const json& order = options.raw("vring_order");
  if (order.is_null()) return;
  handshake.vring_order.clear();
  for (const json& step : order) {
    const auto request =
        step.is_string() ? request_number("SET_VRING_" + step.get<std::string>()) : std::nullopt;
    if (!request)
      return options.mistake("vring_order", "is a list of NUM, BASE, ADDR, ERR, CALL, KICK, ENABLE");
    handshake.vring_order.push_back(static_cast<wire::Request>(*request));
  }
}

void read_handshake(Options& options, FrontendSpec& spec) {
  HandshakeSpec& handshake = spec.handshake;
  handshake.mtu = static_cast<uint16_t>(options.number("mtu", 0, 0, 65535));
  handshake.need_reply = options.flag("need_reply", true);
  handshake.memory_slots = options.flag("memory_slots", false);
  handshake.polled = options.flag("polled", false);
  read_order(options, handshake);
  const auto first = static_cast<uint16_t>(options.number("first", 0, 0, 65535));
  if (options.has("first")) spec.first = first;
  spec.automatic = options.flag("auto", true);
  spec.interrupts = options.flag("interrupts", true) && !handshake.polled;
  spec.hello = options.flag("hello", true);
  spec.answer_backend = options.flag("answer_backend", true);
  spec.iotlb_page = options.number("iotlb_page", 0, 0, uint64_t{1} << 40);
  spec.answer_within_ns = options.number("answer_ms", 5000, 1, 600'000) * 1'000'000;
}

}  // namespace

Result<FrontendSpec> read_frontend(const json& params, const std::string& directory, int inherited) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  FrontendSpec spec;
  spec.name = options.text("name");
  spec.path = options.text("path");
  spec.server = options.choice("role", {"client", "server"}, "client") == "server";
  if (const auto mac = flow::parse_mac(options.text("mac", "02:00:00:00:00:01")))
    spec.mac = *mac;
  else
    options.mistake("mac", mac.error().message);
  read_net(options, spec.net, mistakes);
  read_handshake(options, spec);
  read_features(options, spec);
  read_memory(options, spec, directory, inherited, mistakes);
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  const RingOptions ring{.size = spec.net.size,
                         .packed = (spec.handshake.wanted & bit(Feature::RING_PACKED)) != 0};
  if (!ring.packed && (ring.size & (ring.size - 1)) != 0)
    return fail(Mistakes{{"size", "must be a power of two for a split ring"}});
  return spec;
}

}  // namespace testbed::driver
