// One frontend: guest memory, a net device on it, and a thread that lives with its vhost-user session: it
// connects, shakes hands, notices that the backend is gone, and does what the script wants (jobs), one after
// the other.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/event_log.hpp"
#include "emu/driver/app/attachment.hpp"
#include "emu/driver/app/data_thread.hpp"
#include "emu/driver/app/frontend_spec.hpp"
#include "emu/driver/app/migration.hpp"

namespace testbed::driver {

struct HandshakeStop {
  std::optional<uint64_t> messages;
  std::string request;
};

class Frontend {
 public:
  using Job = std::function<void()>;

  // `data` and `events` outlive it.
  static Result<std::unique_ptr<Frontend>> create(FrontendSpec spec, DataThread& data, EventLog& events);
  // Ends the session; nothing of it is used any more.
  ~Frontend();
  Frontend(const Frontend&) = delete;
  Frontend& operator=(const Frontend&) = delete;

  const FrontendSpec& spec() const { return spec_; }
  NetDevice& device() { return *device_; }  // on the data thread
  GuestMemory& memory() { return memory_; }
  DataThread& data() { return data_; }
  // Any thread. Jobs run on the session's thread.
  void post(Job job);

  // -- For jobs
  Session* session() { return at_.session.get(); }
  // How many there were: the number of the one that is up, or was last; and the messages of the one that
  // ended last.
  uint64_t sessions() const { return sessions_; }
  uint64_t past_session() const { return past_session_; }
  const std::deque<Exchange>& past_log() const { return past_log_; }
  DirtyLog* log() { return log_.get(); }
  std::map<std::string, Fd>& descriptors() { return descriptors_; }
  void set_automatic(bool on) { automatic_ = on; }
  HandshakeSpec& handshake_spec() { return spec_.handshake; }

  // Errc::timeout: nobody came. Errc::already_exists: there is a session.
  Result<void> connect(uint64_t deadline_ns);
  void disconnect(const std::string& reason);
  // Goes on where the last call stopped. True: the rings run.
  Result<bool> shake_hands(const HandshakeStop& stop);
  // The rings stop (GET_VRING_BASE): the bases the backend names. `Errc::disconnected`: no session.
  Result<std::vector<uint32_t>> stop_rings();
  // Its two halves: for a migration, which has more to do in the second. That is for the data thread.
  Result<std::vector<uint32_t>> ask_bases();
  void note_stopped(const std::vector<uint32_t>& bases);
  // And run again, from where they are or (`fresh`) empty, as after a reboot of the guest.
  Result<void> restart_rings(bool fresh);
  // On: a new log in place of any other. Off: nobody logs.
  Result<void> start_logging(uint64_t offset, uint64_t least);
  Result<void> replace_log(uint64_t offset, uint64_t least);
  Result<void> stop_logging();
  std::vector<uint64_t> take_dirty(bool clear);
  // As a session with these features has it.
  wire::VringAddr address_of(uint16_t vring, uint64_t features) const;
  void forget_log();  // the backend that knew it logs no more, or is gone

  // -- Moving to another host
  Result<void> migrate(const MigrationSpec& spec);
  Result<void> cancel_migration();
  const nlohmann::json& migration() const { return migration_ ? migration_->report() : last_migration_; }

  // Any thread. A script's thread that writes to guest memory by itself (driver.flip) leaves no mark of what
  // it wrote: such a guest cannot move, and one that moves takes none. False: it moves.
  bool begin_flip();
  void end_flip() { --flips_; }

  // -- For a migration
  // Where a backend at `path` is met. Errc::busy: another process listens there.
  static Result<Attachment> meet(const std::string& path, bool server);
  Result<void> attach(Attachment& there, uint64_t deadline_ns);
  // This frontend in a handshake with `there`: the rings are those it has.
  HandshakeParty party(Attachment& there);
  Attachment& attachment() { return at_; }
  // The present attachment and the other one swap places.
  void exchange(Attachment& other) { std::swap(at_, other); }
  // The rings of the present attachment, which were described to the backend, are started there at these
  // positions. Nothing moves until they are enabled.
  Result<void> start_rings(const std::vector<uint32_t>& bases);
  // Enabled are as many as the guest uses; link up.
  Result<void> enable_rings();
  // `t` 0: now.
  void emit(std::string_view name, nlohmann::json fields, uint64_t t = 0);
  // Looks after the session for at most so long, or until a job is there.
  void watch(int timeout_ms);
  void wait_until(uint64_t moment_ns);

 private:
  Frontend(FrontendSpec spec, GuestMemory memory, DataThread& data, EventLog& events);

  void loop();
  void run_jobs();
  void attempt();
  void continue_migration();
  // After so many messages of a handshake that began then.
  Result<void> bring_up(uint64_t messages, uint64_t began_ns);
  VringFacts facts_of(uint16_t vring, uint64_t features) const;
  void serve_backend();
  Result<void> tell_logging(uint64_t features);

  FrontendSpec spec_;
  GuestMemory memory_;
  std::unique_ptr<NetDevice> device_;
  DataThread& data_;
  EventLog& events_;

  Fd wake_;
  std::mutex mutex_;
  std::deque<Job> jobs_;
  std::atomic<bool> stop_ = false;

  // The session's thread only.
  bool automatic_;
  std::string last_failure_;
  Attachment at_;
  std::unique_ptr<Migration> migration_;
  nlohmann::json last_migration_;
  static constexpr int kMoves = -1;
  std::atomic<int> flips_ = 0;  // how many threads write; or kMoves
  uint64_t sessions_ = 0;
  uint64_t past_session_ = 0;
  std::deque<Exchange> past_log_;
  bool fresh_ = false;  // the next rings begin empty
  bool kept_ = false;   // the rings went on from where an earlier session left them
  std::unique_ptr<DirtyLog> log_;
  bool logging_ = false;                   // the backend is to write to it
  std::vector<uint64_t> old_pages_;        // of logs that were replaced
  std::map<std::string, Fd> descriptors_;  // named by scripts

  std::thread thread_;
};

}  // namespace testbed::driver
