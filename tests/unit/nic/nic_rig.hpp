// A switch with running workers, one port that the test holds (`inside`) and one real device (`up`), on one
// brick.
#pragma once

#include <dirent.h>
#include <rte_mempool.h>

#include <string>

#include "tests/unit/core/live.hpp"
#include "tests/unit/nic/netns.hpp"
#include "vdev/ports.hpp"

namespace testbed::test {

inline nlohmann::json nic(const std::string& device,
                          const nlohmann::json& options = nlohmann::json::object()) {
  nlohmann::json port = {{"type", "nic"}, {"device", device}, {"to", "lan"}};
  port.update(options);
  return port;
}

// How many descriptors the process has.
inline size_t open_files() {
  size_t found = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++found;
  ::closedir(directory);
  return found;
}

// Mbuf pools that exist.
inline size_t pools() {
  size_t found = 0;
  rte_mempool_walk([](rte_mempool*, void* count) { ++*static_cast<size_t*>(count); }, &found);
  return found;
}

struct NicRig : Live {
  explicit NicRig(uint16_t workers = 1) : Live(workers, [](PortFactories& types) { register_ports(types); }) {
    lan(nlohmann::json::object());
  }

  // The configuration: `inside`, and these ports. A hub floods: nothing has to be learnt.
  void lan(nlohmann::json more) { apply(document(std::move(more))); }
  static nlohmann::json document(nlohmann::json more) {
    more["inside"] = {{"type", "fake"}, {"to", "lan"}};
    return {{"bricks", {{"lan", {{"type", "hub"}}}}}, {"ports", std::move(more)}};
  }
  // What the error says when `port` can't be made; empty: it could.
  std::string refusal(const nlohmann::json& port) {
    const auto applied = control->apply(document({{"up", port}}));
    return applied ? "" : applied.error().message;
  }
  FakePort& inside() { return ports["inside"]; }
  nlohmann::json up() const { return control->ports().at("up"); }
  PortSums sums(const std::string& port) const { return control->graph().ports().at(port).counters->sum(); }
  uint64_t drops(const std::string& port, DropReason reason) const {
    return sums(port).drops[static_cast<size_t>(reason)];
  }
  // `inside` sends; what comes out of the wire.
  std::optional<Frame> through(const Frame& bytes, Wire& wire) {
    inside().inject(bytes);
    return wire.receive();
  }
  // The wire sends; what comes out `inside`.
  std::optional<Frame> through(Wire& wire, const Frame& bytes) {
    inside().collect();
    wire.send(bytes);
    if (!inside().wait_for(1, std::chrono::seconds(10))) return std::nullopt;
    return inside().collect().front();
  }
};

inline Frame tagged(const Frame& bytes, uint16_t tci) {
  Frame with = bytes;
  const std::array<std::byte, 4> tag = {std::byte{0x81}, std::byte{0}, static_cast<std::byte>(tci >> 8),
                                        static_cast<std::byte>(tci)};
  with.insert(with.begin() + 12, tag.begin(), tag.end());
  return with;
}

}  // namespace testbed::test
