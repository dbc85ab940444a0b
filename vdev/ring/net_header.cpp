#include "vdev/ring/net_header.hpp"

namespace testbed::ring {
namespace {

using Cut = Unfinished::Cut;
using wire::VirtioNetHeader;

// The bit ECN adds to the type tells how CWR was set; whoever cuts takes it from the TCP header.
constexpr uint8_t kWithoutEcn = 0x7f;

bool may(const Port::Takes& set, Cut cut) {
  return cut == Cut::none ? set.checksum : cut == Cut::tcp4 ? set.tcp4 : set.tcp6;
}

}  // namespace

bool read_offload(const VirtioNetHeader& header, const Port::Takes& gives, Packet& packet) {
  Unfinished asked{header.csum_start, header.csum_offset, 0, Cut::none};
  switch (header.gso_type & kWithoutEcn) {
    case wire::kGsoNone:
      break;
    case wire::kGsoTcp4:
      asked.cut = Cut::tcp4;
      break;
    case wire::kGsoTcp6:
      asked.cut = Cut::tcp6;
      break;
    default:
      return false;
  }
  if ((header.flags & wire::kNetNeedsChecksum) == 0) return asked.cut == Cut::none;
  if (!may(gives, asked.cut)) return false;
  const uint32_t field = uint32_t{asked.from} + asked.at;
  if (asked.from < kEthernetHeader || field + 2 > packet.head_length) return false;
  if (asked.cut != Cut::none && (asked.segment = header.gso_size) == 0) return false;
  packet.unfinished = asked;
  packet.flags = kUnfinished;
  return true;
}

bool write_offload(const Packet& packet, const Port::Takes& takes, VirtioNetHeader& header) {
  const Unfinished& left = packet.unfinished;
  if (!may(takes, left.cut)) return false;
  header.flags = wire::kNetNeedsChecksum;
  header.csum_start = left.from;
  header.csum_offset = left.at;
  if (left.cut == Cut::none) return true;
  header.gso_type = left.cut == Cut::tcp4 ? wire::kGsoTcp4 : wire::kGsoTcp6;
  header.gso_size = left.segment;
  // Of all headers; a hint (5.1.6.2). The length of TCP's stands in its thirteenth octet.
  const uint32_t data_offset = uint32_t{left.from} + 12;
  header.header_length = data_offset < packet.head_length
                             ? static_cast<uint16_t>(left.from + (static_cast<unsigned>(packet.head[data_offset]) >> 4) * 4)
                             : left.from;
  return true;
}

}  // namespace testbed::ring
