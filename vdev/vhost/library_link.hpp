// A session's way to librte_vhost: a private socket on which we listen and the library connects at once, as a
// client that does not reconnect. One registration for each session, made and unmade with it.
//
// The library's control thread answers; its callbacks come there too. Every request asks for an answer
// (NEED_REPLY, which the library honours whether negotiated or not), so one request at a time is under way,
// what the library refuses is known by name, and no request reaches it while it is still at work on the last.
#pragma once

#include <bitset>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "vdev/gate/backend.hpp"
#include "vdev/gate/channel.hpp"
#include "vdev/vhost/log_stand_in.hpp"

namespace testbed::vhost {

// What the library says about a session's device.
struct Device {
  int vid = -1;
  bool running = false;  // between new_device and destroy_device
  std::bitset<wire::kMaxVrings> enabled;
  // The front-end disabled it after it was enabled. A guest's transmit queue stays enabled in the library
  // then, which would leave the packets of a disabled one where they are; they are to be discarded
  // (specification, "Ring states").
  std::bitset<wire::kMaxVrings> discarded;
};

class DeviceListener {
 public:
  virtual ~DeviceListener() = default;
  // Control thread: running or enabled changed; look at LibraryLink::device().
  virtual void device_changed() = 0;
  // Any thread, often the library's. When it returns no worker uses the device any more, nor will until
  // device_changed().
  virtual void device_stopping() = 0;
};

struct Registration;

class LibraryLink final : public gate::Backend {
 public:
  // `directory` takes the private socket for the moment of connecting. `listener` outlives the link.
  static Result<std::unique_ptr<LibraryLink>> open(boost::asio::io_context& io, const std::string& directory,
                                                   DeviceListener& listener);
  // Returns when the library has forgotten the session.
  ~LibraryLink() override;

  void submit(gate::Message request, Answer answer) override;
  void on_lost(std::function<void(const Error&)> lost) override { lost_ = std::move(lost); }

  Device device() const;
  // Runs `act` while the device cannot stop, if it is running. Not from device_stopping().
  bool while_running(const std::function<void(const Device&)>& act) const;

 private:
  LibraryLink(boost::asio::io_context& io, std::shared_ptr<Registration> registration);
  Result<void> connect(boost::asio::io_context& io);
  bool discard_instead(const gate::Message& request);
  void received(gate::Message message);
  void closed(const Error& error);

  std::shared_ptr<Registration> registration_;
  std::shared_ptr<gate::Channel> channel_;
  boost::asio::steady_timer patience_;
  Answer answer_;
  std::optional<LogStandIn> stand_in_;  // of the request that is being answered
  std::function<void(const Error&)> lost_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // a timer that has fired cannot be cancelled
};

}  // namespace testbed::vhost
