// Messages and descriptors for the rules, and a session's worth of what was said before.
#pragma once

#include <boost/test/unit_test.hpp>
#include <initializer_list>
#include <string>
#include <vector>

#include "vdev/gate/rules.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::test {

inline constexpr uint64_t kOffered = bit(wire::Feature::RING_PACKED) | bit(wire::Feature::RING_EVENT_IDX) |
                                     bit(wire::Feature::NET_MQ) | bit(wire::Feature::NET_MRG_RXBUF) |
                                     bit(wire::Feature::LOG_ALL) | bit(wire::Feature::PROTOCOL_FEATURES);
inline constexpr uint64_t kUser = 0x7f0000000000;  // where the front-end has its memory
inline constexpr uint64_t kMemory = 0x100000;

// A message and what its descriptors are.
struct Said {
  gate::Message message;
  std::vector<gate::FdFacts> fds;

  Said() = default;
  Said(const Said& other) : fds(other.fds) {
    message.header = other.message.header;
    message.payload = other.message.payload;
  }
  Said& operator=(const Said& other) {
    message.header = other.message.header;
    message.payload = other.message.payload;
    fds = other.fds;
    return *this;
  }
};

inline gate::FdFacts file(uint64_t size) {
  return {.kind = gate::FdFacts::Kind::file, .writable = true, .size = size};
}
inline gate::FdFacts eventfd() {
  return {.kind = gate::FdFacts::Kind::eventfd, .writable = true};
}

template <typename T>
Said said(wire::Request request, const T& payload, std::vector<gate::FdFacts> fds = {}) {
  Said step;
  step.message = gate::make_message(request, 0, payload);
  step.fds = std::move(fds);
  return step;
}
inline Said said(wire::Request request, std::vector<gate::FdFacts> fds = {}) {
  Said step;
  step.message.header = {static_cast<uint32_t>(request), wire::kFlagVersion, 0};
  step.fds = std::move(fds);
  return step;
}
inline Said said(wire::Request request, std::initializer_list<gate::FdFacts> fds) {
  return said(request, std::vector(fds));
}

inline Said table(std::vector<wire::MemoryRegion> regions, std::vector<gate::FdFacts> fds) {
  wire::MemoryTable all{static_cast<uint32_t>(regions.size()), 0, {}};
  std::copy(regions.begin(), regions.begin() + std::min<ptrdiff_t>(8, std::ssize(regions)),
            all.regions.begin());
  return said(wire::Request::SET_MEM_TABLE, all, std::move(fds));
}
inline Said one_region() {
  return table({{0, kMemory, kUser, 0}}, {file(kMemory)});
}
// Three areas that fit a ring of 8 of either kind.
inline wire::VringAddr address(uint32_t index = 0) {
  return {index, 0, kUser, kUser + 0x2000, kUser + 0x1000, 0};
}

// SET_FEATURES to the kick of ring 0.
inline std::vector<Said> handshake(uint64_t features) {
  using wire::Request;
  return {said(Request::SET_OWNER),
          said(Request::GET_FEATURES),
          said(Request::SET_FEATURES, features),
          one_region(),
          said(Request::SET_VRING_CALL, uint64_t{0}, {eventfd()}),
          said(Request::SET_VRING_NUM, wire::VringState{0, 8}),
          said(Request::SET_VRING_BASE, wire::VringState{0, 0}),
          said(Request::SET_VRING_ADDR, address()),
          said(Request::SET_VRING_KICK, uint64_t{0}, {eventfd()})};
}

struct RulesRig {
  gate::Rules rules{gate::Offer{kOffered, ~uint64_t{0}, 2}};

  // The reason it is refused for; empty: it may pass.
  std::string judge(const Said& step) const {
    const auto refusal = rules.request(step.message, step.fds);
    return refusal ? std::string(gate::to_string(refusal->reason)) : "";
  }
  // Judges, and if it may pass goes on as if the back-end had taken it.
  std::string take(const Said& step) {
    const std::string reason = judge(step);
    if (reason.empty()) rules.accepted(step.message, step.fds);
    return reason;
  }

  // All of the handshake.
  static RulesRig shaken(uint64_t features = 0) {
    RulesRig rig;
    for (const Said& step : handshake(features)) BOOST_REQUIRE_EQUAL(rig.take(step), "");
    return rig;
  }
  // What comes before that step of it.
  static RulesRig before(const Said& step) {
    RulesRig rig;
    for (const Said& earlier : handshake(0)) {
      if (earlier.message.header.request == step.message.header.request) break;
      BOOST_REQUIRE_EQUAL(rig.take(earlier), "");
    }
    return rig;
  }
};

}  // namespace testbed::test
