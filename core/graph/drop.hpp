// Why a packet was not forwarded. Closed and named: every packet that enters the switch is counted out again,
// either as sent or under exactly one of these. The names are what counters, metrics and scenarios say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace testbed {

enum class DropReason : uint8_t {
  port_down,       // the egress port has no session (or its device is stopped)
  queue_disabled,  // the session is up, but no enabled queue takes packets
  ring_full,       // the egress queue had no buffers, and retries made no progress
  too_big,         // longer than the egress port's MTU or than the guest's buffers allow
  runt,            // shorter than an Ethernet header
  unconnected,     // the brick's side leads nowhere
  hairpin,         // the destination is where the packet came from
  no_destination,  // a switch or hub with no other member to send to
  bad_source,      // multicast or zero source address
  reserved,        // link-local group addresses 01:80:c2:00:00:0x that a bridge must not forward
  no_memory,       // no mbuf for a packet that has to outlive its burst
  bad_offload,     // its headers do not allow the checksum or the cutting it asks for
  count_,          // not a reason
};

inline constexpr size_t kDropReasons = static_cast<size_t>(DropReason::count_);

inline constexpr std::array<std::string_view, kDropReasons> kDropNames = {
    "port_down", "queue_disabled", "ring_full",  "too_big",  "runt",     "unconnected",
    "hairpin",   "no_destination", "bad_source", "reserved", "no_memory", "bad_offload"};

}  // namespace testbed
