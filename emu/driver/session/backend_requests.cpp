#include "emu/driver/session/backend_requests.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/clock.hpp"

namespace testbed::driver {
namespace {

constexpr uint8_t kMiss = 1, kUpdate = 2;

Message acknowledgement(const Received& request) {
  Message reply{.request = request.header.request, .flags = wire::kFlagVersion | wire::kFlagReply};
  reply.payload.assign(sizeof(uint64_t), 0);
  return reply;
}

}  // namespace

Result<BackendRequests> BackendRequests::create(uint64_t answer_within_ns) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
    return fail_errno("socketpair", errno);
  return BackendRequests(Fd(ends[0]), Fd(ends[1]), answer_within_ns);
}

std::optional<wire::Iotlb> iotlb_update(const GuestMemory& memory, uint64_t iova, uint8_t permission,
                                        uint64_t page) {
  for (const Region& region : memory.regions()) {
    if (iova < region.gpa || iova - region.gpa >= region.size) continue;
    const uint64_t begin = page ? std::max(region.gpa, iova / page * page) : region.gpa;
    const uint64_t end = region.gpa + region.size;
    const uint64_t size = page ? std::min(iova / page * page + page, end) - begin : region.size;
    return wire::Iotlb{begin, size, memory.user_address(begin), permission, kUpdate};
  }
  return std::nullopt;
}

Result<uint32_t> BackendRequests::serve(Session& session, const GuestMemory& memory, bool answer,
                                        uint64_t page) {
  auto request = ours_.receive(now_ns() + answer_within_ns_);
  if (!request) return tl::unexpected(request.error());
  session.note_backend(*request);
  if (!answer) return request->header.request;
  wire::Iotlb entry{};
  if (request->header.request == static_cast<uint32_t>(wire::BackendRequest::IOTLB_MSG) &&
      request->payload.size() >= sizeof entry) {
    std::memcpy(&entry, request->payload.data(), sizeof entry);
    const auto update = iotlb_update(memory, entry.iova, entry.permission, page);
    if (entry.type == kMiss && update)
      if (auto told = session.tell(iotlb(*update)); !told) return tl::unexpected(told.error());
  }
  if (request->header.flags & wire::kFlagNeedReply) {
    const auto sent = ours_.send(encode(acknowledgement(*request)), {}, now_ns() + answer_within_ns_);
    if (!sent) return tl::unexpected(sent.error());
  }
  return request->header.request;
}

}  // namespace testbed::driver
