#include "emu/bench/loop_options.hpp"

#include <algorithm>

#include "core/base/options.hpp"
#include "emu/flow/transport.hpp"

namespace testbed::bench {

using nlohmann::json;

namespace {

constexpr uint32_t kHello = 60;  // an announcement's length: frames that go round have another
// Receive buffers that merge hold this much of a frame.
constexpr uint32_t kMergedRoom = 2048;

// Frames of one direction that a receive ring has room for: with no more under way, none is lost.
uint32_t room_for(const load::FrontendOptions& frontend, uint32_t octets) {
  const uint32_t header = 12;  // struct virtio_net_hdr_mrg_rxbuf
  const uint32_t buffers = frontend.mergeable ? (octets + header + kMergedRoom - 1) / kMergedRoom : 1;
  return frontend.queue_size / buffers;
}

}  // namespace

Result<LoopOptions> read_loop(const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  LoopOptions loop;
  loop.shape.octets = static_cast<uint32_t>(options.number("size", 64, kHello + 1, flow::kMaxFrame));
  loop.shape.macs = static_cast<uint16_t>(options.number("macs", 1, 1, 32768));
  loop.shape.touch = options.flag("touch", false);
  loop.both_ways = options.flag("both_ways", true);
  const json& frontends = options.raw("frontends");
  if (!frontends.is_array() || frontends.size() != loop.frontends.size())
    options.mistake("frontends", "two are needed, as of frontend.add");
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  for (size_t i = 0; i < loop.frontends.size(); ++i) {
    auto frontend = load::read_frontend(frontends[i]);
    if (!frontend) return tl::unexpected(frontend.error());
    if (frontend->queues != 1) return fail(Errc::invalid_argument, "queues: one pair goes round");
    if (frontend->max_frame < loop.shape.octets)
      return fail(Errc::invalid_argument, "size: longer than max_frame of " + frontend->name);
    loop.frontends[i] = std::move(*frontend);
  }
  const uint32_t room = room_for(loop.frontends[0], loop.shape.octets);
  if (loop.shape.macs > room)
    return fail(Errc::invalid_argument, "macs: " + std::to_string(loop.shape.macs) +
                                            " pairs of addresses, and a ring holds " + std::to_string(room) +
                                            " frames of this size");
  loop.shape.window = static_cast<uint16_t>(std::max<uint32_t>({1, room * 3 / 4, loop.shape.macs}));
  // What goes round came out of receive buffers and is not back in the pool meanwhile.
  for (auto& frontend : loop.frontends) frontend.spare_buffers = frontend.queue_size;
  return loop;
}

}  // namespace testbed::bench
