// driver.send: any message, well-formed or not, with any descriptors.
#include <algorithm>
#include <cstring>

#include "core/base/options.hpp"
#include "emu/driver/app/driver_service.hpp"
#include "emu/driver/app/fd_spec.hpp"
#include "emu/driver/app/payload.hpp"

namespace testbed::driver::command {

using wire::Request;

namespace {

PayloadDefaults defaults_of(Frontend& frontend) {
  PayloadDefaults defaults{.regions = wire_regions(frontend.memory())};
  if (const DirtyLog* log = frontend.log()) defaults.log = {log->size(), log->offset()};
  const uint64_t features = frontend.session() ? frontend.session()->features : 0;
  for (uint16_t vring = 0; vring < 2 * frontend.spec().net.queues; ++vring)
    defaults.addresses.push_back(frontend.address_of(vring, features));
  return defaults;
}

// Descriptors a message carries: the script's, or those the request usually has.
Result<void> read_fds(Frontend& frontend, Options& options, Message& message, std::vector<Fd>& owned) {
  const json& list = options.raw("fds");
  if (list.is_null()) {
    if (message.request == static_cast<uint32_t>(Request::SET_MEM_TABLE))
      message.fds.assign(frontend.memory().regions().size(), frontend.memory().fd());
    return {};
  }
  if (!list.is_array()) return fail(Errc::invalid_argument, "fds must be a list of descriptions");
  for (const json& item : list) {
    const std::string text = item.is_string() ? item.get<std::string>() : item.dump();
    if (text == "guest") {
      message.fds.push_back(frontend.memory().fd());
    } else if (text == "log" && frontend.log()) {
      message.fds.push_back(frontend.log()->fd());
    } else {
      auto fd = make_fd(text, frontend.descriptors());
      if (!fd) return tl::unexpected(fd.error());
      message.fds.push_back(owned.emplace_back(std::move(*fd)).get());
    }
  }
  return {};
}

Result<Message> read_message(Frontend& frontend, Options& options, std::vector<Fd>& owned) {
  Message message;
  const json& name = options.raw("message");
  const auto number = name.is_string() ? request_number(name.get<std::string>()) : std::nullopt;
  if (name.is_number_unsigned())
    message.request = name.get<uint32_t>();
  else if (number)
    message.request = *number;
  else
    return fail(Errc::invalid_argument,
                "message must be the name or the number of a request, not " + name.dump());
  auto payload = read_payload(message.request, options.raw("payload"), defaults_of(frontend));
  if (!payload) return tl::unexpected(payload.error());
  message.payload = std::move(*payload);
  message.flags = static_cast<uint32_t>(options.number("flags", wire::kFlagVersion, 0, UINT32_MAX));
  const auto size = static_cast<uint32_t>(options.number("size", 0, 0, UINT32_MAX));
  if (options.has("size")) message.size = size;
  if (options.flag("need_reply", false)) message.flags |= wire::kFlagNeedReply;
  if (auto ok = read_fds(frontend, options, message, owned); !ok) return tl::unexpected(ok.error());
  return message;
}

json outcome(const Result<std::optional<Received>>& result) {
  if (!result) {
    const Errc code = result.error().code;
    const char* what = code == Errc::disconnected ? "disconnected"
                       : code == Errc::timeout    ? "silent"
                       : code == Errc::refused    ? "refused"
                                                  : "wrong";
    return {{"outcome", what}, {"detail", result.error().message}};
  }
  if (!*result) return {{"outcome", "sent"}};
  const Received& reply = **result;
  json answer = {
      {"outcome", "answered"},       {"request", reply.header.request},
      {"flags", reply.header.flags}, {"size", reply.header.size},
      {"fds", reply.fds.size()},     {"payload", to_hex_bytes(reply.payload.data(), reply.payload.size())}};
  if (reply.payload.size() == sizeof(uint64_t)) {
    uint64_t value;
    std::memcpy(&value, reply.payload.data(), sizeof value);
    answer["u64"] = value;
  }
  return answer;
}

// The first `cut` octets of it only, whatever it is.
Result<json> send_octets(Frontend& frontend, std::vector<uint8_t> bytes, const Message& message,
                         uint64_t cut) {
  bytes.resize(std::min<uint64_t>(cut, bytes.size()));
  const auto sent = frontend.session()->send_raw(bytes, message.fds);
  if (!sent) return outcome(tl::unexpected(sent.error()));
  return json{{"outcome", "sent"}, {"octets", bytes.size()}};
}

}  // namespace

Result<json> send(Frontend& frontend, const json& params) {
  if (!frontend.session()) return fail(Errc::disconnected, frontend.spec().name + " has no session");
  Mistakes mistakes;
  Options options(params, "", mistakes);
  options.raw("frontend");
  const uint64_t cut = options.number("cut", UINT64_MAX, 0, UINT64_MAX);
  std::vector<Fd> owned;
  std::optional<bool> expect;
  if (const json& wanted = options.raw("expect_reply"); wanted.is_boolean()) expect = wanted.get<bool>();
  Message message;
  std::vector<uint8_t> bytes;
  if (options.has("bytes")) {
    auto raw = from_hex(options.text("bytes", ""));
    if (!raw) return tl::unexpected(raw.error());
    bytes = std::move(*raw);
    if (auto ok = read_fds(frontend, options, message, owned); !ok) return tl::unexpected(ok.error());
  } else {
    auto read = read_message(frontend, options, owned);
    if (!read) return tl::unexpected(read.error());
    message = std::move(*read);
  }
  options.done();
  if (!mistakes.empty()) return fail(std::move(mistakes));
  if (!bytes.empty() || cut != UINT64_MAX)
    return send_octets(frontend, bytes.empty() ? encode(message) : std::move(bytes), message, cut);
  Session& session = *frontend.session();
  const bool usual = std::exchange(session.need_reply, false);  // the script says what it wants
  auto result = session.exchange(message, expect);
  session.need_reply = usual;
  const bool gone = !result && result.error().code == Errc::disconnected;
  const json report = outcome(result);
  if (gone) frontend.disconnect("the backend closed the connection");
  return report;
}

}  // namespace testbed::driver::command
