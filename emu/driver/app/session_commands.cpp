// Methods that run on the thread of a frontend's session.
#include <fcntl.h>
#include <unistd.h>

#include "core/base/clock.hpp"
#include "core/base/options.hpp"
#include "emu/driver/app/driver_service.hpp"
#include "emu/driver/app/feature_names.hpp"
#include "emu/driver/app/payload.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::driver::command {

using wire::Request;

namespace {

Result<json> empty(const Result<void>& result) {
  if (!result) return tl::unexpected(result.error());
  return json::object();
}

// {"base": "resume|start|avail"} or {"bases": {"0": n}} for SET_VRING_BASE of the next handshake.
void read_bases(Options& options, HandshakeSpec& spec) {
  const std::string policy = options.choice("base", {"resume", "start", "avail"}, "resume");
  spec.base = policy == "resume"  ? BasePolicy::resume
              : policy == "start" ? BasePolicy::start
                                  : BasePolicy::avail;
  const json& bases = options.raw("bases");
  spec.bases.clear();
  if (bases.is_null()) return;
  if (!bases.is_object()) return options.mistake("bases", "must be an object: vring number to base");
  for (const auto& item : bases.items()) {
    const auto vring = parse_mask(item.key());
    const auto base = read_integer(item.value());
    if (vring && base)
      spec.bases[static_cast<uint16_t>(*vring)] = static_cast<uint32_t>(*base);
    else
      options.mistake("bases", "must be an object: vring number to base");
  }
}

// SET_VRING_ENABLE of a ring. A receive queue is watched while it is disabled, if the back-end confirms that;
// transmit queues are not: there a disabled ring is drained (vhost-user, "Ring states").
Result<void> enable_vring(Frontend& frontend, uint32_t vring, bool on) {
  Session& session = *frontend.session();
  const auto watch = [&] {
    if (vring % 2 != 0 || !session.has(wire::ProtocolFeature::REPLY_ACK)) return;
    frontend.data().run([&] {
      Vring& queue = frontend.device().vring(vring);
      if (queue.ring()) queue.stillness().enabled(*queue.ring(), on);
    });
  };
  if (on) watch();
  if (auto told = session.tell(vring_state(Request::SET_VRING_ENABLE, vring, on)); !told) return told;
  if (!on) watch();
  return {};
}

uint64_t deadline_after(uint64_t ms) {
  return now_ns() + ms * 1'000'000;
}

}  // namespace

Result<json> connect(Frontend& frontend, const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  options.raw("frontend");
  const uint64_t within_ms = options.number("within_ms", 5000, 0, 600'000);
  const bool automatic = options.flag("auto", false);
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  frontend.set_automatic(automatic);
  if (automatic) return json::object();  // the session's thread goes on with it
  return empty(frontend.connect(deadline_after(within_ms)));
}

Result<json> disconnect(Frontend& frontend, const json& params) {
  frontend.set_automatic(params.value("auto", false));
  frontend.disconnect("the script ended it");
  return json::object();
}

Result<json> handshake(Frontend& frontend, const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  options.raw("frontend");
  read_bases(options, frontend.handshake_spec());
  HandshakeStop stop;
  const json& after = options.raw("stop_after");
  if (after.is_number_unsigned())
    stop.messages = after.get<uint64_t>();
  else if (after.is_string() && request_number(after.get<std::string>()))
    stop.request = after.get<std::string>();
  else if (!after.is_null())
    options.mistake("stop_after", "must be a number of messages, or the name of a request");
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  const auto done = frontend.shake_hands(stop);
  if (!done) return tl::unexpected(done.error());
  return json{{"complete", *done}, {"messages", frontend.session()->sent()}};
}

Result<json> stop(Frontend& frontend, const json&) {
  const auto bases = frontend.stop_rings();
  if (!bases) return tl::unexpected(bases.error());
  return json{{"bases", *bases}};
}

Result<json> restart(Frontend& frontend, const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  options.raw("frontend");
  const bool fresh = options.flag("fresh", false);
  read_bases(options, frontend.handshake_spec());
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  return empty(frontend.restart_rings(fresh));
}

Result<json> queues(Frontend& frontend, const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  options.raw("frontend");
  const auto pairs = static_cast<uint16_t>(frontend.spec().net.queues);
  const auto count = static_cast<uint16_t>(options.number("count", pairs, 1, pairs));
  const auto vring = static_cast<uint32_t>(options.number("vring", 0, 0, 2u * pairs - 1));
  const bool enable = options.flag("enable", true);
  const bool one = options.has("enable"), posting = options.flag("posting", true);
  const bool hold = options.has("posting");
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  if (hold) {
    frontend.data().run([&] { frontend.device().rx(vring / 2).set_posting(posting); });
    return json::object();
  }
  if (one && !frontend.session()) return fail(Errc::disconnected, "no session");
  if (one) return empty(enable_vring(frontend, vring, enable));
  // Before their frames go elsewhere the queues that go away carry nothing new; before new ones are used they
  // are enabled. Where the session ends meanwhile, or there is none, the next handshake says which.
  const auto set_pairs = [&] { frontend.data().run([&] { frontend.device().set_pairs(count); }); };
  const bool fewer = count < frontend.device().queues();
  if (fewer) set_pairs();
  Result<void> told;
  for (uint32_t i = 0; frontend.session() && told && i < 2u * pairs; ++i)
    told = enable_vring(frontend, i, i / 2 < count);
  if (!fewer) set_pairs();
  if (!told && told.error().code != Errc::disconnected) return tl::unexpected(told.error());
  return json::object();
}

namespace {

json line_of(const Exchange& entry) {
  json line = {{"n", entry.n},
               {"t", entry.t_ns},
               {"from", entry.from_backend ? "backend" : "frontend"},
               {"request", entry.request},
               {"name", wire::request_name(entry.request)},
               {"flags", entry.flags},
               {"size", entry.size},
               {"fds", entry.fds}};
  if (entry.reply_us) line["reply_us"] = entry.reply_us;
  if (entry.number) line["u64"] = *entry.number;
  if (!entry.error.empty()) line["error"] = entry.error;
  return line;
}

}  // namespace

Result<json> messages(Frontend& frontend, const json& params) {
  const uint64_t since = params.value("since", uint64_t{0});
  const uint64_t wanted = params.value("session", frontend.sessions());
  json list = json::array();
  const auto take = [&](const std::deque<Exchange>& log) {
    for (const Exchange& entry : log)
      if (entry.n >= since) list.push_back(line_of(entry));
  };
  if (frontend.session() && wanted == frontend.sessions())
    take(frontend.session()->log());
  else if (wanted == frontend.past_session())
    take(frontend.past_log());
  return json{{"messages", std::move(list)}};
}

Result<json> log(Frontend& frontend, const json& params) {
  Mistakes mistakes;
  Options options(params, "", mistakes);
  options.raw("frontend");
  const std::string act = options.choice("do", {"on", "off", "resize", "read", "peek"}, "read");
  const uint64_t offset = options.number("offset", 0, 0, uint64_t{1} << 40);
  const uint64_t size = options.number("size", 0, 0, uint64_t{1} << 32);
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  if (act == "on") return empty(frontend.start_logging(offset, size));
  if (act == "off") return empty(frontend.stop_logging());
  if (act == "resize") return empty(frontend.replace_log(offset, size));
  const auto pages = frontend.take_dirty(act == "read");
  return json{{"pages", pages}, {"strayed", frontend.log() && frontend.log()->strayed()}};
}

Result<json> migrate(Frontend& frontend, const json& params) {
  const auto spec = read_migration(params);
  if (!spec) return tl::unexpected(spec.error());
  return empty(frontend.migrate(*spec));
}

Result<json> cancel_migration(Frontend& frontend, const json&) {
  return empty(frontend.cancel_migration());
}

Result<json> migration(Frontend& frontend, const json&) {
  return frontend.migration();
}

namespace {

Result<int> named_fd(Frontend& frontend, const json& params) {
  const auto found = frontend.descriptors().find(params.value("fd", ""));
  if (found == frontend.descriptors().end()) return fail(Errc::not_found, "no descriptor has that name");
  return found->second.get();
}

}  // namespace

Result<json> resize(Frontend& frontend, const json& params) {
  const auto fd = named_fd(frontend, params);
  if (!fd) return tl::unexpected(fd.error());
  if (::ftruncate(*fd, static_cast<off_t>(params.value("size", uint64_t{0}))) != 0)
    return fail_errno("ftruncate", errno);
  return json::object();
}

// The flag belongs to the open file, so this is done to the backend's descriptor as well.
Result<json> block(Frontend& frontend, const json& params) {
  const auto fd = named_fd(frontend, params);
  if (!fd) return tl::unexpected(fd.error());
  const int flags = ::fcntl(*fd, F_GETFL);
  if (flags < 0 || ::fcntl(*fd, F_SETFL, flags & ~O_NONBLOCK) != 0) return fail_errno("fcntl", errno);
  return json::object();
}

}  // namespace testbed::driver::command
