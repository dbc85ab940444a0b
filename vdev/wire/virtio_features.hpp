// Feature bits of a virtio network device, with their names: Virtio 1.2, sections 5.1.3 and 6, and the two
// that vhost adds.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace testbed::wire {

enum class Feature : uint8_t {
  NET_CSUM = 0,
  NET_GUEST_CSUM = 1,
  NET_CTRL_GUEST_OFFLOADS = 2,
  NET_MTU = 3,
  NET_MAC = 5,
  NET_GSO = 6,  // legacy
  NET_GUEST_TSO4 = 7,
  NET_GUEST_TSO6 = 8,
  NET_GUEST_ECN = 9,
  NET_GUEST_UFO = 10,
  NET_HOST_TSO4 = 11,
  NET_HOST_TSO6 = 12,
  NET_HOST_ECN = 13,
  NET_HOST_UFO = 14,
  NET_MRG_RXBUF = 15,
  NET_STATUS = 16,
  NET_CTRL_VQ = 17,
  NET_CTRL_RX = 18,
  NET_CTRL_VLAN = 19,
  NET_CTRL_RX_EXTRA = 20,
  NET_GUEST_ANNOUNCE = 21,
  NET_MQ = 22,
  NET_CTRL_MAC_ADDR = 23,
  NOTIFY_ON_EMPTY = 24,  // legacy
  LOG_ALL = 26,          // VHOST_F_LOG_ALL
  ANY_LAYOUT = 27,       // legacy
  RING_INDIRECT_DESC = 28,
  RING_EVENT_IDX = 29,
  PROTOCOL_FEATURES = 30,  // VHOST_USER_F_PROTOCOL_FEATURES
  VERSION_1 = 32,
  ACCESS_PLATFORM = 33,
  RING_PACKED = 34,
  IN_ORDER = 35,
  ORDER_PLATFORM = 36,
  SR_IOV = 37,
  NOTIFICATION_DATA = 38,
  NOTIF_CONFIG_DATA = 39,
  RING_RESET = 40,
  NET_HOST_USO = 56,
  NET_HASH_REPORT = 57,
  NET_GUEST_HDRLEN = 59,
  NET_RSS = 60,
  NET_RSC_EXT = 61,
  NET_STANDBY = 62,
  NET_SPEED_DUPLEX = 63,
};

constexpr uint64_t bit(Feature feature) {
  return uint64_t{1} << static_cast<uint8_t>(feature);
}

struct FeatureName {
  Feature feature;
  std::string_view name;
};

inline constexpr std::array kFeatureNames = std::to_array<FeatureName>({
    {Feature::NET_CSUM, "NET_CSUM"},
    {Feature::NET_GUEST_CSUM, "NET_GUEST_CSUM"},
    {Feature::NET_CTRL_GUEST_OFFLOADS, "NET_CTRL_GUEST_OFFLOADS"},
    {Feature::NET_MTU, "NET_MTU"},
    {Feature::NET_MAC, "NET_MAC"},
    {Feature::NET_GSO, "NET_GSO"},
    {Feature::NET_GUEST_TSO4, "NET_GUEST_TSO4"},
    {Feature::NET_GUEST_TSO6, "NET_GUEST_TSO6"},
    {Feature::NET_GUEST_ECN, "NET_GUEST_ECN"},
    {Feature::NET_GUEST_UFO, "NET_GUEST_UFO"},
    {Feature::NET_HOST_TSO4, "NET_HOST_TSO4"},
    {Feature::NET_HOST_TSO6, "NET_HOST_TSO6"},
    {Feature::NET_HOST_ECN, "NET_HOST_ECN"},
    {Feature::NET_HOST_UFO, "NET_HOST_UFO"},
    {Feature::NET_MRG_RXBUF, "NET_MRG_RXBUF"},
    {Feature::NET_STATUS, "NET_STATUS"},
    {Feature::NET_CTRL_VQ, "NET_CTRL_VQ"},
    {Feature::NET_CTRL_RX, "NET_CTRL_RX"},
    {Feature::NET_CTRL_VLAN, "NET_CTRL_VLAN"},
    {Feature::NET_CTRL_RX_EXTRA, "NET_CTRL_RX_EXTRA"},
    {Feature::NET_GUEST_ANNOUNCE, "NET_GUEST_ANNOUNCE"},
    {Feature::NET_MQ, "NET_MQ"},
    {Feature::NET_CTRL_MAC_ADDR, "NET_CTRL_MAC_ADDR"},
    {Feature::NOTIFY_ON_EMPTY, "NOTIFY_ON_EMPTY"},
    {Feature::LOG_ALL, "LOG_ALL"},
    {Feature::ANY_LAYOUT, "ANY_LAYOUT"},
    {Feature::RING_INDIRECT_DESC, "RING_INDIRECT_DESC"},
    {Feature::RING_EVENT_IDX, "RING_EVENT_IDX"},
    {Feature::PROTOCOL_FEATURES, "PROTOCOL_FEATURES"},
    {Feature::VERSION_1, "VERSION_1"},
    {Feature::ACCESS_PLATFORM, "ACCESS_PLATFORM"},
    {Feature::RING_PACKED, "RING_PACKED"},
    {Feature::IN_ORDER, "IN_ORDER"},
    {Feature::ORDER_PLATFORM, "ORDER_PLATFORM"},
    {Feature::SR_IOV, "SR_IOV"},
    {Feature::NOTIFICATION_DATA, "NOTIFICATION_DATA"},
    {Feature::NOTIF_CONFIG_DATA, "NOTIF_CONFIG_DATA"},
    {Feature::RING_RESET, "RING_RESET"},
    {Feature::NET_HOST_USO, "NET_HOST_USO"},
    {Feature::NET_HASH_REPORT, "NET_HASH_REPORT"},
    {Feature::NET_GUEST_HDRLEN, "NET_GUEST_HDRLEN"},
    {Feature::NET_RSS, "NET_RSS"},
    {Feature::NET_RSC_EXT, "NET_RSC_EXT"},
    {Feature::NET_STANDBY, "NET_STANDBY"},
    {Feature::NET_SPEED_DUPLEX, "NET_SPEED_DUPLEX"},
});

// Device status (SET_STATUS), Virtio 1.2, section 2.1.
inline constexpr uint8_t kStatusDriverOk = 4;
inline constexpr uint8_t kStatusFeaturesOk = 8;

}  // namespace testbed::wire
