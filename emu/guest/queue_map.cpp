#include "emu/guest/queue_map.hpp"

#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "core/base/fd.hpp"

namespace testbed::guest {

namespace {

constexpr char kKind[] = "mqprio";

struct QdiscRequest {
  nlmsghdr header;
  tcmsg message;
  uint8_t attributes[256];
};

QdiscRequest root_qdisc(uint16_t type, uint16_t flags, int interface) {
  QdiscRequest request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.message);
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  request.message.tcm_ifindex = interface;
  request.message.tcm_parent = TC_H_ROOT;
  return request;
}

void add_attribute(QdiscRequest& request, uint16_t type, const void* data, uint16_t size) {
  auto* attribute =
      reinterpret_cast<rtattr*>(reinterpret_cast<uint8_t*>(&request) + NLMSG_ALIGN(request.header.nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
  std::memcpy(RTA_DATA(attribute), data, size);
  request.header.nlmsg_len =
      static_cast<uint32_t>(NLMSG_ALIGN(request.header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

// The errno of the kernel's answer; 0 is success.
int transact(const QdiscRequest& request) {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket || ::send(socket.get(), &request, request.header.nlmsg_len, 0) < 0) return errno;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    uint8_t rest[4096];
  } answer;
  const ssize_t size = ::recv(socket.get(), &answer, sizeof answer, 0);
  if (size < static_cast<ssize_t>(sizeof answer.header + sizeof answer.error))
    return size < 0 ? errno : EPROTO;
  return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
}

}  // namespace

Result<void> map_priorities_to_queues(int interface, uint16_t queues) {
  tc_mqprio_qopt table{};
  table.num_tc = static_cast<uint8_t>(queues);
  for (uint16_t i = 0; i < queues; ++i) {
    table.prio_tc_map[i] = static_cast<uint8_t>(i);
    table.count[i] = 1;
    table.offset[i] = i;
  }
  auto request = root_qdisc(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, interface);
  request.message.tcm_handle = 0x10000;  // 1:
  add_attribute(request, TCA_KIND, kKind, sizeof kKind);
  add_attribute(request, TCA_OPTIONS, &table, sizeof table);
  if (const int error = transact(request)) return fail_errno("mqprio", error);
  return {};
}

Result<void> unmap_queues(int interface) {
  const int error = transact(root_qdisc(RTM_DELQDISC, 0, interface));
  if (error && error != ENOENT && error != EINVAL)
    return fail_errno("removing mqprio", error);  // there was none
  return {};
}

}  // namespace testbed::guest
