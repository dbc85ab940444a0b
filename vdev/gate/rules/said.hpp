// What a session has agreed on and set so far: all that the rules know beside the message they judge.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vdev/gate/fd_facts.hpp"
#include "vdev/wire/vhost_user.hpp"
#include "vdev/wire/virtio_features.hpp"

namespace testbed::gate {

struct RingSaid {
  std::optional<uint32_t> size;            // SET_VRING_NUM
  std::optional<wire::VringAddr> address;  // SET_VRING_ADDR
  std::optional<uint32_t> base;            // SET_VRING_BASE, since the ring last stopped
  bool kicked = false;                     // SET_VRING_KICK, likewise
  // Said since the ring last stopped and since another format or, for addresses, another memory table came:
  // what is older than that is likely to be said anew, and is judged only when the ring starts with it.
  bool size_fresh = false;
  bool address_fresh = false;

  bool complete() const { return size && address; }
  // The device may walk it, as soon as it is enabled.
  bool started() const { return kicked && complete(); }
};

struct Said {
  uint64_t offered = 0;  // at most these may be set
  uint64_t protocol_offered = 0;
  uint64_t negotiated = 0;
  uint64_t protocol = 0;
  bool features_set = false;
  std::vector<wire::MemoryRegion> table;
  std::vector<FileId> files;         // of the regions
  std::optional<uint64_t> log_size;  // octets of the bitmap
  std::vector<RingSaid> rings;

  bool has(wire::Feature feature) const { return (negotiated & bit(feature)) != 0; }
  bool has(wire::ProtocolFeature feature) const { return (protocol & bit(feature)) != 0; }
};

}  // namespace testbed::gate
