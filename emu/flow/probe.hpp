// The probe: the frame that flows are made of. It says who sent it, which it is, when it left, and proves
// that it arrived as it was sent. Docs: docs/protocol.md, "The probe frame". All fields big endian:
//
//    0  destination MAC      6 octets
//    6  source MAC           6
//   12  EtherType            2   0x88b5 (IEEE 802 local experimental 1)
//   14  magic                2   0x7b7d
//   16  version              1   1
//   17  kind                 1   1 probe, 2 hello, 3 ack
//   18  run                  4   the run's number, from the runner
//   22  epoch                4   the sender's incarnation: another one after each flow.send
//   26  flow                 2
//   28  stream               2
//   30  age                  4   microseconds since the sender's flow.start; stays at its maximum
//   34  sequence             8   of the stream, from 0; in an ack: frames of this epoch that passed, see
//   receiver.hpp 42  stamp                8   sender's clock when it was sent, ns 50  length               2
//   octets of the whole frame 52  crc                  4   CRC-32C of the whole frame but these four octets
//   56  payload              4 or more
//
// The payload follows from (seed, flow, stream, sequence): frames differ everywhere, so that a frame with
// another one's octets in it (a reused buffer, a torn copy) does not match its checksum. The receiver only
// needs the checksum.
#pragma once

#include <cstddef>
#include <cstdint>

#include "emu/flow/mac.hpp"

namespace testbed::flow {

inline constexpr uint16_t kEtherType = 0x88b5;
inline constexpr uint16_t kProbeMagic = 0x7b7d;
inline constexpr uint8_t kProbeVersion = 1;
inline constexpr size_t kProbeHeader = 56;

enum class Kind : uint8_t { probe = 1, hello = 2, ack = 3 };

struct Probe {
  Mac destination, source;
  Kind kind = Kind::probe;
  uint32_t run = 0, epoch = 0;
  uint16_t flow = 0, stream = 0;
  uint32_t age_us = 0;
  uint64_t sequence = 0;
  uint64_t stamp_ns = 0;

  bool operator==(const Probe&) const = default;
};

// What is the same in all probes of a sender, laid out once. Then one frame costs a copy, a few stores and
// the checksum.
class ProbeTemplate {
 public:
  // The destination, source, stream, age, sequence and stamp of `probe` are those of stream 0 at its start.
  ProbeTemplate(const Probe& probe, uint64_t seed);

  // Writes the whole frame: `length` octets, kMinFrame or more.
  void write(uint8_t* frame, uint32_t length, uint16_t stream, uint64_t sequence, uint32_t age_us,
             uint64_t stamp_ns) const;

 private:
  alignas(8) uint8_t header_[kProbeHeader];
  uint16_t destination_low_, source_low_;
  uint64_t seed_;
};

// One frame that needs no template: hellos, acks.
void write_probe(uint8_t* frame, uint32_t length, const Probe& probe, uint64_t seed);

enum class Verdict : uint8_t {
  good,       // a whole probe
  other,      // not a probe at all: another EtherType, too short for one
  corrupted,  // our EtherType, and then it does not add up
};

// Reads and checks a frame. `probe` is filled in also for a corrupted frame (with whatever stands there),
// except when it is shorter than kMinFrame.
Verdict read_probe(const uint8_t* frame, uint32_t length, Probe& probe);

// A number that looks random and follows from its arguments: the base of payloads, of sizes in a mix.
uint64_t scramble(uint64_t value);
uint64_t packet_key(uint64_t seed, uint16_t flow, uint16_t stream, uint64_t sequence);

}  // namespace testbed::flow
