// The switch's options and its entry among the brick types.
#include <memory>
#include <random>
#include <utility>

#include "core/bricks/switch_brick.hpp"

namespace testbed {

SwitchBrick::Settings SwitchBrick::read(Options& options, const std::set<std::string>* peers) {
  Settings settings;
  const uint64_t ageing_ms = options.number("ageing_ms", 300'000, 1000, 1'000'000'000);
  settings.ageing_s = static_cast<uint32_t>((ageing_ms + 999) / 1000);
  settings.capacity = options.number("capacity", 16384, Fdb::kMinCapacity, Fdb::kMaxCapacity);
  const nlohmann::json& statics = options.raw("static");
  if (!statics.is_null() && !statics.is_object())
    options.mistake("static", "must be an object: address -> port or brick it is behind");
  if (statics.is_object()) {
    for (const auto& [text, peer] : statics.items()) {
      const auto mac = parse_mac(text);
      if (!mac)
        options.mistake("static." + text, mac.error().message);
      else if (*mac == 0 || (*mac & kMulticastBit))
        options.mistake("static." + text, "must be the address of one station: not zero, not multicast");
      else if (!peer.is_string() || (peers && !peers->contains(peer.get<std::string>())))
        options.mistake("static." + text,
                        peer.dump() + " is not at the other end of one of this brick's edges");
      else
        settings.statics[*mac] = peer;
    }
  }
  options.done();
  return settings;
}

BrickType SwitchBrick::type() {
  return {.sides = {},
          .check = [](Options& options, const std::set<std::string>& peers) { read(options, &peers); },
          .create = [](const std::string& name, const nlohmann::json& document,
                       BrickEnvironment& environment) -> Result<std::unique_ptr<Brick>> {
            Mistakes mistakes;
            Options options(document, "bricks." + name, mistakes);
            Settings settings = read(options, nullptr);
            if (!mistakes.empty()) return fail(std::move(mistakes));
            std::random_device random;
            const uint64_t key = static_cast<uint64_t>(random()) << 32 | random();
            return std::make_unique<SwitchBrick>(name, std::move(settings), environment.workers,
                                                 environment.events, key);
          }};
}

}  // namespace testbed
