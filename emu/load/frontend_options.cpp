#include "emu/load/frontend_options.hpp"

#include <rte_cpuflags.h>

#include <bit>

#include "core/base/options.hpp"
#include "core/base/unix_socket.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::load {

using nlohmann::json;

namespace {

// The vectorised paths have conditions; where one is not met the driver takes the ordinary path without a
// word.
Result<void> check_vectorized(const FrontendOptions& options) {
  if (!options.vectorized) return {};
  if (options.mergeable)
    return fail(Errc::invalid_argument, "vectorized: the driver's vector path needs mergeable: false");
  if (!options.packed && options.in_order)
    return fail(Errc::invalid_argument,
                "vectorized: with a split ring the driver's vector path needs in_order: false");
  if (options.packed && !options.in_order)
    return fail(Errc::invalid_argument,
                "vectorized: with a packed ring the driver's vector path needs in_order: true");
  if (options.packed && rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) != 1)
    return fail(Errc::unsupported,
                "vectorized: with a packed ring the driver's vector path needs a CPU with AVX512F");
  return {};
}

}  // namespace

Result<FrontendOptions> read_frontend(const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  FrontendOptions frontend;
  frontend.name = options.text("name");
  frontend.path = options.text("path");
  frontend.role =
      options.choice("role", {"server", "client"}, "server") == "server" ? Role::server : Role::client;
  frontend.packed = options.choice("ring", {"split", "packed"}, "split") == "packed";
  frontend.queues = static_cast<uint16_t>(options.number("queues", 1, 1, 8));
  frontend.queue_size = static_cast<uint16_t>(options.number("queue_size", 256, 64, 4096));
  if (!std::has_single_bit(frontend.queue_size)) options.mistake("queue_size", "must be a power of two");
  frontend.in_order = options.flag("in_order", true);
  frontend.mergeable = options.flag("mergeable", true);
  frontend.vectorized = options.flag("vectorized", false);
  frontend.max_frame = static_cast<uint32_t>(
      options.number("max_frame", frontend.mergeable ? flow::kMaxFrame : kDefaultUnmergedFrame,
                     flow::kMinFrame, flow::kMaxFrame));
  const auto mac = flow::parse_mac(options.text("mac"));
  if (mac && !mac->multicast())
    frontend.mac = *mac;
  else if (options.has("mac"))
    options.mistake("mac", mac ? "is a group address" : mac.error().message);
  options.done();
  if (auto path = check_socket_path(frontend.path); !path && !frontend.path.empty())
    options.mistake("path", path.error().message);
  // The driver's arguments are a list with commas.
  if (frontend.path.find_first_of(",=[]") != std::string::npos)
    options.mistake("path", "must not contain any of , = [ ]: DPDK's device arguments cannot hold them");
  if (!mistakes.empty()) return fail(std::move(mistakes));
  if (auto checked = check_vectorized(frontend); !checked) return tl::unexpected(checked.error());
  return frontend;
}

std::string device_arguments(const FrontendOptions& options) {
  const auto flag = [](const char* key, bool value) {
    return std::string(",") + key + (value ? "=1" : "=0");
  };
  return "path=" + options.path + ",mac=" + to_string(options.mac) +
         ",queues=" + std::to_string(options.queues) + ",queue_size=" + std::to_string(options.queue_size) +
         flag("server", options.role == Role::server) + flag("packed_vq", options.packed) +
         flag("in_order", options.in_order) + flag("mrg_rxbuf", options.mergeable) +
         flag("vectorized", options.vectorized);
}

}  // namespace testbed::load
