#include "vdev/vhost/library_link.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "core/base/unix_socket.hpp"
#include "vdev/vhost/registration.hpp"
#include "vdev/wire/vhost_user_names.hpp"

namespace testbed::vhost {
namespace {

// The library works for microseconds, or maps memory, or waits for one burst of each worker.
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kHalfMessage{5000};

std::string next_path(const std::string& directory) {
  static std::atomic<uint64_t> count = 0;
  return directory + "/.lib-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

}  // namespace

Result<std::unique_ptr<LibraryLink>> LibraryLink::open(boost::asio::io_context& io,
                                                       const std::string& directory,
                                                       DeviceListener& listener) {
  auto registration = std::make_shared<Registration>(io, next_path(directory), listener);
  std::unique_ptr<LibraryLink> link(new LibraryLink(io, registration));
  if (auto ok = registration->enter(); !ok) return tl::unexpected(ok.error());
  if (auto ok = link->connect(io); !ok) return tl::unexpected(ok.error());
  return link;
}

LibraryLink::LibraryLink(boost::asio::io_context& io, std::shared_ptr<Registration> registration)
    : registration_(std::move(registration)), patience_(io) {
}

LibraryLink::~LibraryLink() {
  *alive_ = false;
  if (channel_) channel_->close();
  registration_->leave();
}

Result<void> LibraryLink::connect(boost::asio::io_context& io) {
  auto listener = listen_unix(registration_->path, 1);
  if (!listener) return tl::unexpected(listener.error());
  auto started = registration_->start();
  Fd socket(::accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  ::unlink(registration_->path.c_str());
  if (!started) return started;
  if (!socket) return fail_errno("librte_vhost did not connect to its private socket", errno);
  channel_ = gate::Channel::make(io, std::move(socket), kHalfMessage);
  channel_->start([this](gate::Message message) { received(std::move(message)); },
                  [this](const Error& error) { closed(error); });
  return {};
}

void LibraryLink::submit(gate::Message request, Answer answer) {
  if (discard_instead(request))
    return answer(gate::make_message(request.request(), wire::kFlagReply, uint64_t{0}));
  auto stand_in = LogStandIn::replace(request);
  if (!stand_in) return answer(tl::unexpected(stand_in.error()));
  stand_in_ = std::move(*stand_in);
  request.header.flags |= wire::kFlagNeedReply;
  answer_ = std::move(answer);
  patience_.expires_after(kPatience);
  patience_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive && answer_) closed({Errc::timeout, "librte_vhost did not answer"});
  });
  channel_->send(std::move(request));
}

// SET_VRING_ENABLE of a guest's transmit queue that is walked, or was.
bool LibraryLink::discard_instead(const gate::Message& request) {
  if (!request.is(wire::Request::SET_VRING_ENABLE)) return false;
  const auto state = *request.as<wire::VringState>();
  if (!registration_->discard(static_cast<uint16_t>(state.index), state.num == 0)) return false;
  registration_->listener.device_changed();
  return state.num == 0;
}

void LibraryLink::received(gate::Message message) {
  patience_.cancel();
  // An error has 8 octets, a log that was taken an empty answer.
  if (const auto stand_in = std::exchange(stand_in_, std::nullopt); stand_in && message.payload.empty())
    if (auto ok = stand_in->resolve(); !ok) return closed(ok.error());
  channel_->next();
  // Handed over before it is called: the answer may bring the next request.
  if (const Answer answer = std::exchange(answer_, nullptr)) answer(std::move(message));
}

void LibraryLink::closed(const Error& error) {
  patience_.cancel();
  const Error end{error.code, "librte_vhost closed the connection (" + error.message + ")"};
  if (const Answer answer = std::exchange(answer_, nullptr)) return answer(tl::unexpected(end));
  if (const auto lost = std::exchange(lost_, nullptr)) lost(end);
}

Device LibraryLink::device() const {
  const std::lock_guard lock(registration_->mutex);
  return registration_->device;
}

bool LibraryLink::while_running(const std::function<void(const Device&)>& act) const {
  const std::lock_guard lock(registration_->mutex);
  if (!registration_->device.running) return false;
  act(registration_->device);
  return true;
}

}  // namespace testbed::vhost
