#include "gate_rig.hpp"

#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "core/base/unix_socket.hpp"
#include "vdev/gate/message_io.hpp"

namespace testbed::test {

using wire::Request;

void ScriptedBackend::submit(gate::Message request, Answer answer) {
  log_.requests.push_back(request.request());
  log_.fds += request.fds.size();
  if (request.is(Request::SET_VRING_BASE)) {
    const auto state = *request.as<wire::VringState>();
    log_.bases.emplace_back(state.index, state.num);
  }
  if (log_.silent) return;
  uint64_t value = log_.refuse == request.request() ? 1 : 0;
  if (request.is(Request::GET_FEATURES) || request.is(Request::GET_PROTOCOL_FEATURES)) value = ~uint64_t{0};
  if (request.is(Request::GET_QUEUE_NUM)) value = 128;
  gate::Message reply = gate::make_message(request.request(), wire::kFlagReply, value);
  if (request.is(Request::GET_VRING_BASE)) reply = std::move(request);  // the base that was asked with
  answer(std::move(reply));
}

Result<std::unique_ptr<gate::Endpoint>> GateRig::open(gate::Role role, const std::string& path,
                                                      std::chrono::milliseconds deadline) {
  return gate::Endpoint::open(io, events, watch, {"p0", path, role, 2, deadline}, memory, host);
}

bool GateRig::until(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    io.restart();
    io.run_one_for(std::chrono::milliseconds(10));
  }
  return true;
}

std::vector<nlohmann::json> GateRig::named(const std::string& name) const {
  std::vector<nlohmann::json> found;
  for (const auto& event : events.since(1))
    if (event["name"] == name) found.push_back(event);
  return found;
}

Frontend Frontend::connect(const std::string& path) {
  auto socket = connect_unix(path);
  BOOST_REQUIRE_MESSAGE(socket.has_value(), (socket ? "" : socket.error().message));
  return Frontend(std::move(*socket));
}

void Frontend::send_bytes(const void* bytes, size_t size, const std::vector<int>& fds) {
  iovec part{const_cast<void*>(bytes), size};
  alignas(cmsghdr) char control[CMSG_SPACE(32 * sizeof(int))] = {};
  msghdr outgoing{};
  outgoing.msg_iov = &part;
  outgoing.msg_iovlen = 1;
  if (!fds.empty()) {
    outgoing.msg_control = control;
    outgoing.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&outgoing);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
  }
  BOOST_REQUIRE_EQUAL(::sendmsg(fd(), &outgoing, MSG_NOSIGNAL), static_cast<ssize_t>(size));
}

void Frontend::send_message(const gate::Message& message, const std::vector<int>& fds) {
  std::vector<std::byte> bytes(sizeof message.header + message.payload.size());
  std::memcpy(bytes.data(), &message.header, sizeof message.header);
  std::copy(message.payload.begin(), message.payload.end(), bytes.begin() + sizeof message.header);
  send_bytes(bytes.data(), bytes.size(), fds);
}

void Frontend::send(Request request, uint32_t flags) {
  const wire::VhostUserHeader header{static_cast<uint32_t>(request), wire::kFlagVersion | flags, 0};
  send_bytes(&header, sizeof header);
}

std::optional<gate::Message> Frontend::receive(GateRig& rig) {
  std::optional<gate::Message> message;
  bool gone = false;
  BOOST_REQUIRE(rig.until([&] {
    auto got = reader_.read(fd());
    if (!got)
      gone = true;
    else if (*got)
      message = std::move(**got);
    return gone || message.has_value();
  }));
  return message;
}

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

}  // namespace testbed::test
