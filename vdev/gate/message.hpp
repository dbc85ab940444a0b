// One whole vhost-user message with the descriptors that came with it.
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "core/base/fd.hpp"
#include "vdev/wire/vhost_user.hpp"

namespace testbed::gate {

struct Message {
  wire::VhostUserHeader header{};
  std::vector<std::byte> payload;
  std::vector<Fd> fds;

  bool is(wire::Request request) const { return header.request == static_cast<uint32_t>(request); }
  wire::Request request() const { return static_cast<wire::Request>(header.request); }
  bool needs_reply() const { return (header.flags & wire::kFlagNeedReply) != 0; }

  // The payload as a T; nullopt when it is shorter than that.
  template <typename T>
  std::optional<T> as() const {
    if (payload.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, payload.data(), sizeof value);
    return value;
  }
  // Overwrites the payload's first octets; it is at least as long as `value`.
  template <typename T>
  void replace(const T& value) {
    std::memcpy(payload.data(), &value, sizeof value);
  }
};

template <typename T>
Message make_message(wire::Request request, uint32_t flags, const T& value) {
  Message message;
  message.header = {static_cast<uint32_t>(request), wire::kFlagVersion | flags, sizeof value};
  message.payload.resize(sizeof value);
  message.replace(value);
  return message;
}

}  // namespace testbed::gate
