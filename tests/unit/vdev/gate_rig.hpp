// An endpoint with a scripted back-end behind it and a scripted front-end before it, on one thread: the test
// pumps the loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/event_log.hpp"
#include "tests/unit/base/scratch.hpp"
#include "vdev/gate/endpoint.hpp"

namespace testbed::test {

// Answers everything at once; keeps what it was given.
class ScriptedBackend : public gate::Backend {
 public:
  struct Log {
    std::vector<wire::Request> requests;
    size_t fds = 0;
    bool silent = false;                               // keeps the answers back
    std::optional<wire::Request> refuse;               // answers 1 to this
    std::vector<std::pair<uint32_t, uint32_t>> bases;  // of SET_VRING_BASE
  };
  explicit ScriptedBackend(Log& log) : log_(log) {}
  void submit(gate::Message request, Answer answer) override;
  void on_lost(std::function<void(const Error&)> lost) override { lost_ = std::move(lost); }

 private:
  Log& log_;
  std::function<void(const Error&)> lost_;
};

class ScriptedHost : public gate::SessionHost {
 public:
  Result<std::unique_ptr<gate::Backend>> open_backend(gate::Session&) override {
    ++opened;
    return std::make_unique<ScriptedBackend>(log);
  }
  void message_accepted(wire::Request) override {}
  void session_over() override { ++over; }
  uint64_t capability() const override { return features; }
  uint64_t protocol_capability() const override { return ~uint64_t{0}; }

  ScriptedBackend::Log log;
  uint64_t features = 0x3;
  int opened = 0, over = 0;
};

// The loop, the events, and ports that share them.
struct GateRig {
  boost::asio::io_context io;
  EventLog events;
  gate::DirectoryWatch watch{io};
  Scratch scratch;
  ScriptedHost host;
  gate::PortMemory memory = gate::PortMemory::volatile_memory(8);

  Result<std::unique_ptr<gate::Endpoint>> open(gate::Role role, const std::string& path,
                                               std::chrono::milliseconds deadline = std::chrono::seconds(5));
  // Runs the loop until `condition`; false when a generous deadline passed first.
  bool until(const std::function<bool()>& condition);
  std::vector<nlohmann::json> named(const std::string& name) const;
  bool until_event(const std::string& name, size_t count = 1) {
    return until([&] { return named(name).size() >= count; });
  }
};

// A front-end's end of the socket.
class Frontend {
 public:
  explicit Frontend(Fd socket) : socket_(std::move(socket)) {}
  static Frontend connect(const std::string& path);

  int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }
  void send_bytes(const void* bytes, size_t size, const std::vector<int>& fds = {});
  template <typename T>
  void send(wire::Request request, const T& payload, uint32_t flags = 0, const std::vector<int>& fds = {}) {
    const gate::Message message = gate::make_message(request, flags, payload);
    send_message(message, fds);
  }
  void send(wire::Request request, uint32_t flags = 0);
  void send_message(const gate::Message& message, const std::vector<int>& fds);
  // Pumps the loop until a whole message is here; nullopt: the gate closed.
  std::optional<gate::Message> receive(GateRig& rig);
  bool closed(GateRig& rig) { return !receive(rig).has_value(); }

 private:
  Fd socket_;
  gate::MessageReader reader_;
};

// One port and a front-end that has connected to it.
struct Connected : GateRig {
  explicit Connected(std::chrono::milliseconds deadline = std::chrono::seconds(5))
      : port(*open(gate::Role::server, scratch.file("p0"), deadline)),
        frontend(Frontend::connect(scratch.file("p0"))) {
    BOOST_REQUIRE(until_event("session.connected"));
  }
  std::unique_ptr<gate::Endpoint> port;
  Frontend frontend;
};

inline uint64_t value_of(const std::optional<gate::Message>& message) {
  BOOST_REQUIRE(message.has_value());
  return message->as<uint64_t>().value_or(0);
}

size_t open_descriptors();

}  // namespace testbed::test
