#include "emu/load/driver_messages.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <map>
#include <mutex>

#include "vdev/wire/vhost_user.hpp"

extern "C" ssize_t __real_sendmsg(int socket, const msghdr* message, int flags);

namespace testbed::load {
namespace {

using wire::Request;

struct Started {
  int socket = -1;
  bool enabled = false;
};

std::mutex mutex;
std::map<std::string, std::map<uint32_t, Started>> started;  // virtqueues by path; guarded by mutex

// What a server accepted is bound to the path that it listens at. nullptr: nobody watches that one.
std::map<uint32_t, Started>* started_at(int socket) {
  sockaddr_un address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      address.sun_family != AF_UNIX || length <= offsetof(sockaddr_un, sun_path))
    return nullptr;
  const auto found = started.find({address.sun_path, ::strnlen(address.sun_path, sizeof address.sun_path)});
  return found == started.end() ? nullptr : &found->second;
}

void note_start(int socket, uint64_t file) {
  const std::lock_guard lock(mutex);
  if (auto* vrings = started_at(socket))
    (*vrings)[static_cast<uint32_t>(file & wire::kVringIndexMask)] = {socket, false};
}

void note_enable(int socket, const wire::VringState& state) {
  const std::lock_guard lock(mutex);
  auto* vrings = started_at(socket);
  if (vrings == nullptr) return;
  if (const auto vring = vrings->find(state.index); vring != vrings->end())
    vring->second.enabled = state.num != 0;
}

// One whole message in one piece, which is how the driver sends them.
template <typename T>
T payload_of(const msghdr& message) {
  T payload{};
  std::memcpy(&payload,
              static_cast<const uint8_t*>(message.msg_iov[0].iov_base) + sizeof(wire::VhostUserHeader),
              sizeof payload);
  return payload;
}

void note(int socket, const msghdr& message) {
  constexpr size_t kShortest = sizeof(wire::VhostUserHeader) + sizeof(uint64_t);
  if (message.msg_iovlen == 0 || message.msg_iov[0].iov_len < kShortest) return;
  wire::VhostUserHeader header;
  std::memcpy(&header, message.msg_iov[0].iov_base, sizeof header);
  if (header.flags & wire::kFlagReply) return;
  if (header.request == static_cast<uint32_t>(Request::SET_VRING_KICK))
    note_start(socket, payload_of<uint64_t>(message));
  else if (header.request == static_cast<uint32_t>(Request::SET_VRING_ENABLE))
    note_enable(socket, payload_of<wire::VringState>(message));
}

bool say_enabled(int socket, uint32_t index) {
  struct {
    wire::VhostUserHeader header;
    wire::VringState state;
  } said = {{static_cast<uint32_t>(Request::SET_VRING_ENABLE), wire::kFlagVersion, sizeof(wire::VringState)},
            {index, 1}};
  static_assert(sizeof said == sizeof(wire::VhostUserHeader) + sizeof(wire::VringState));
  return ::send(socket, &said, sizeof said, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof said;
}

}  // namespace

DriverMessages::DriverMessages(std::string path) : path_(std::move(path)) {
  const std::lock_guard lock(mutex);
  started[path_];
}

DriverMessages::~DriverMessages() {
  const std::lock_guard lock(mutex);
  started.erase(path_);
}

std::vector<uint32_t> DriverMessages::enable_forgotten() {
  const std::lock_guard lock(mutex);
  std::vector<uint32_t> forgotten;
  for (auto& [index, vring] : started[path_]) {
    if (vring.enabled || !say_enabled(vring.socket, index)) continue;
    vring.enabled = true;
    forgotten.push_back(index);
  }
  return forgotten;
}

}  // namespace testbed::load

extern "C" ssize_t __wrap_sendmsg(int socket, const msghdr* message, int flags) {
  testbed::load::note(socket, *message);
  return __real_sendmsg(socket, message, flags);
}
