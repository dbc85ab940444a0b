// A guest moves to another host by pre-copy: its memory is copied while its rings run, again and again what
// was dirtied meanwhile (by the backend, as its log says, and by the driver), until the rest can be copied
// within the downtime. Then the rings stop at the source, the rest is copied, and the rings go on at the
// destination, which knows everything but their positions by then. The memories are compared when the guest
// runs again: what it writes at once was kept aside when it was copied.
//
// Runs on the thread of the frontend's session, a slice at a time, so that scripts go on in between. Until
// the first ring is enabled at the destination every failure, and a cancellation, returns to the source;
// after that the guest lives at the destination, whatever becomes of its backend there.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "emu/driver/app/attachment.hpp"
#include "emu/driver/memory/twin.hpp"

namespace testbed::driver {

class Frontend;

struct MigrationSpec {
  std::string path;
  bool server = false;
  uint64_t max_rounds = 30;            // then the rest is copied, however long it takes
  uint64_t downtime_ns = 10'000'000;   // of it, for copying
  uint64_t bandwidth = 0;              // octets a second while the rings run; 0: as fast as it goes
  uint64_t within_ns = 5'000'000'000;  // for the destination's backend to be there
};

// {"path", "role", "max_rounds", "downtime_ms", "bandwidth", "within_ms"}
Result<MigrationSpec> read_migration(const nlohmann::json& params);

inline Error at_destination(const Error& error) {
  return {error.code, "at the destination: " + error.message};
}

class Migration {
 public:
  // Errc::unsupported: the session cannot log, or logs already.
  static Result<std::unique_ptr<Migration>> begin(Frontend& frontend, MigrationSpec spec);
  ~Migration();
  Migration(const Migration&) = delete;
  Migration& operator=(const Migration&) = delete;

  // Does the next piece of work. False: it is over, one way or the other.
  bool step();
  // Returns to the source.
  void cancel();
  // As it stands, or as it ended: {"state", "phase", "rounds", ...}.
  const nlohmann::json& report() const { return report_; }

 private:
  enum class Phase : uint8_t { connecting, copying, comparing, over };
  using Pages = std::vector<uint64_t>;

  Migration(Frontend& frontend, MigrationSpec spec);
  Result<void> advance();
  Result<void> connect();
  Result<void> prepare();
  Result<void> begin_copying();
  Result<void> copy_slice();
  Result<void> end_round();
  Result<void> switch_over();
  Result<void> arrive(const std::vector<uint32_t>& bases);
  Result<void> go_on();
  Result<void> announce();
  void leave();
  void compare_rest();
  Pages dirtied();
  uint64_t pages_in_downtime() const;
  void lap(const char* part, const char* moment);
  void note_differing(const Pages& pages);
  void throttle(uint64_t octets, uint64_t began_ns);
  void abandon(const char* event, const std::string& why);
  void stop_watching_source();
  void finish(const char* event);

  Frontend& frontend_;
  MigrationSpec spec_;
  HandshakeSpec handshake_;  // of the destination
  Attachment destination_;   // after the switch-over: the source's
  std::unique_ptr<Twin> twin_;
  Phase phase_ = Phase::connecting;
  uint64_t began_ns_, connect_by_ns_;
  bool logging_ = false;

  Pages queue_;
  Pages rest_;  // to compare, after the switch-over
  std::set<uint64_t> differing_;
  size_t next_ = 0;
  uint64_t round_began_ns_ = 0, round_octets_ = 0;
  uint64_t copied_octets_ = 0, copying_ns_ = 0;
  uint64_t stopping_ns_ = 0, lap_ns_ = 0;
  nlohmann::json moments_;  // of the switch-over
  nlohmann::json report_;
};

}  // namespace testbed::driver
