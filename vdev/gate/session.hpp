// One vhost-user connection: lives exactly as long as its socket. Reads whole messages, lets the rules judge
// them, watches what they say about the virtqueues, hands them to the back-end and its answers to the
// front-end. Control thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/event_log.hpp"
#include "vdev/gate/backend.hpp"
#include "vdev/gate/channel.hpp"
#include "vdev/gate/memory_watch.hpp"
#include "vdev/gate/port_memory.hpp"
#include "vdev/gate/refusals.hpp"
#include "vdev/gate/rules.hpp"
#include "vdev/gate/timeline.hpp"
#include "vdev/gate/virtqueues.hpp"

namespace testbed::gate {

// Why a session ended. The words stand in session.down.
enum class EndReason : uint8_t {
  peer_closed,
  deadline,      // half a message, or a reply nobody reads, for too long
  protocol,      // what came is no vhost-user message
  refused,       // a rule was broken: session.refused says which
  backend_lost,  // the library closed, or refused a message nobody waits for an answer to
  disconnect,    // asked for
  removed,       // the port goes away
};
std::string_view to_string(EndReason reason);

struct SessionContext {
  boost::asio::io_context& io;
  EventLog& events;
  PortMemory& memory;
  Timeline& timeline;
  Refusals& refusals;
  std::string port;
  Offer offer;
  std::chrono::milliseconds deadline;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  using OnEnd = std::function<void(EndReason)>;
  // Messages the datapath has to know of, after the back-end accepted them.
  using OnAccepted = std::function<void(wire::Request)>;

  Session(const SessionContext& context, uint64_t id, Fd socket);
  ~Session();

  uint64_t id() const { return id_; }
  uint64_t since_ns() const { return since_ns_; }
  const Rules& rules() const { return rules_; }
  const Virtqueues& virtqueues() const { return virtqueues_; }

  // The peer has gone, and the loop has not told us yet.
  bool abandoned() const { return channel_->abandoned(); }

  // Begins to read. `on_end` comes once, after the socket was closed and the back-end destroyed, unless end()
  // was called.
  void start(std::unique_ptr<Backend> backend, OnAccepted on_accepted, OnEnd on_end);
  // Closes the socket and destroys the back-end before it returns; emits session.down. Further calls do
  // nothing.
  void end(EndReason reason, const std::string& detail);

 private:
  using Messages = std::vector<Message>;

  void handle(Message message);
  void refuse(const Message& message, const Refusal& refusal);
  void answer_here(const Message& message);
  void kick(Message message);
  Messages before_start(uint16_t index);
  bool start_waiting(const Message& said);
  void submit(Message message);
  void submit_own(std::shared_ptr<Messages> messages, size_t first, std::function<void()> then);
  void answered(const Message& said, Result<Message> answer);
  void reply(Message answer);
  void note_features(uint64_t features);
  void note_accepted(const Message& said, const Message& answer);
  void closed(const Error& error);
  void shrunk();
  void finish(EndReason reason, const std::string& detail);
  nlohmann::json fields() const { return {{"port", context_.port}, {"session", id_}}; }

  SessionContext context_;
  uint64_t id_;
  uint64_t since_ns_;
  Rules rules_;
  Virtqueues virtqueues_;
  std::optional<MemoryWatch> watch_;           // from start()
  std::map<uint32_t, Message> waiting_kicks_;  // of rings that lack a part
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<Backend> backend_;
  OnAccepted on_accepted_;
  OnEnd on_end_;
  PortMemory::Features before_;  // what an earlier life of this process had agreed on
  uint64_t request_t_ = 0;       // of the request that is being answered
  std::vector<FdFacts> request_fds_;
  bool negotiated_once_ = false;
  bool ended_ = false;
};

}  // namespace testbed::gate
