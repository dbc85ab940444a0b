// What the numbers of vhost_user.hpp are called, without their VHOST_USER_ prefixes: for events, logs and
// scenario files.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "vdev/wire/vhost_user.hpp"

namespace testbed::wire {

inline constexpr std::array<std::string_view, kLastRequest + 1> kRequestNames = {
    "NONE",
    "GET_FEATURES",
    "SET_FEATURES",
    "SET_OWNER",
    "RESET_OWNER",
    "SET_MEM_TABLE",
    "SET_LOG_BASE",
    "SET_LOG_FD",
    "SET_VRING_NUM",
    "SET_VRING_ADDR",
    "SET_VRING_BASE",
    "GET_VRING_BASE",
    "SET_VRING_KICK",
    "SET_VRING_CALL",
    "SET_VRING_ERR",
    "GET_PROTOCOL_FEATURES",
    "SET_PROTOCOL_FEATURES",
    "GET_QUEUE_NUM",
    "SET_VRING_ENABLE",
    "SEND_RARP",
    "NET_SET_MTU",
    "SET_BACKEND_REQ_FD",
    "IOTLB_MSG",
    "SET_VRING_ENDIAN",
    "GET_CONFIG",
    "SET_CONFIG",
    "CREATE_CRYPTO_SESSION",
    "CLOSE_CRYPTO_SESSION",
    "POSTCOPY_ADVISE",
    "POSTCOPY_LISTEN",
    "POSTCOPY_END",
    "GET_INFLIGHT_FD",
    "SET_INFLIGHT_FD",
    "GPU_SET_SOCKET",
    "RESET_DEVICE",
    "VRING_KICK",
    "GET_MAX_MEM_SLOTS",
    "ADD_MEM_REG",
    "REM_MEM_REG",
    "SET_STATUS",
    "GET_STATUS",
    "GET_SHARED_OBJECT",
    "SET_DEVICE_STATE_FD",
    "CHECK_DEVICE_STATE",
};
static_assert(kRequestNames[static_cast<size_t>(Request::GET_STATUS)] == "GET_STATUS");
static_assert(kRequestNames[kLastRequest] == "CHECK_DEVICE_STATE");

constexpr std::string_view request_name(uint32_t request) {
  return request <= kLastRequest ? kRequestNames[request] : "UNKNOWN";
}

inline constexpr std::array<std::string_view, kLastBackendRequest + 1> kBackendRequestNames = {
    "NONE",      "IOTLB_MSG",         "CONFIG_CHANGE_MSG",    "VRING_HOST_NOTIFIER_MSG", "VRING_CALL",
    "VRING_ERR", "SHARED_OBJECT_ADD", "SHARED_OBJECT_REMOVE", "SHARED_OBJECT_LOOKUP",
};
static_assert(kBackendRequestNames[kLastBackendRequest] == "SHARED_OBJECT_LOOKUP");

inline constexpr std::array<std::string_view, 21> kProtocolFeatureNames = {
    "MQ",
    "LOG_SHMFD",
    "RARP",
    "REPLY_ACK",
    "MTU",
    "BACKEND_REQ",
    "CROSS_ENDIAN",
    "CRYPTO_SESSION",
    "PAGEFAULT",
    "CONFIG",
    "BACKEND_SEND_FD",
    "HOST_NOTIFIER",
    "INFLIGHT_SHMFD",
    "RESET_DEVICE",
    "INBAND_NOTIFICATIONS",
    "CONFIGURE_MEM_SLOTS",
    "STATUS",
    "XEN_MMAP",
    "SHARED_OBJECT",
    "DEVICE_STATE",
    "GET_VRING_BASE_INFLIGHT",
};

}  // namespace testbed::wire
