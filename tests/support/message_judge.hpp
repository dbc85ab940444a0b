// What must never be asked of a back-end, held against the specification without a look at the gate's rules.
// It is shown the messages that passed, in order, and remembers what a back-end would.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vdev/gate/message.hpp"

namespace testbed::test {

// A descriptor, as far as the specification has an opinion.
struct JudgedFd {
  bool file = false;
  bool notifier = false;  // an eventfd
  uint64_t size = 0;      // of a file
};

class MessageJudge {
 public:
  // `features`: what the port offers.
  MessageJudge(uint64_t features, uint32_t queue_pairs) : offered_(features), rings_(2 * queue_pairs) {}

  // What is wrong with it; empty: nothing.
  std::string see(const gate::Message& message, std::span<const JudgedFd> fds);

 private:
  struct Ring {
    uint64_t size = 0;
    std::optional<wire::VringAddr> at;
    std::optional<uint32_t> base;
    bool kicked = false;

    bool runs() const { return kicked && size > 0 && at; }
  };
  struct Place {
    uint64_t from, size;
  };

  std::string judge(const gate::Message& message, std::span<const JudgedFd> fds);
  std::string set_features(uint64_t features);
  std::string set_table(const gate::Message& message, std::span<const JudgedFd> fds);
  std::string set_log(const wire::Log& log, std::span<const JudgedFd> fds);
  std::string notifier(const gate::Message& message, std::span<const JudgedFd> fds);
  std::string about_ring(const gate::Message& message);
  std::string places(const Ring& ring) const;
  std::string running_rings() const;
  std::string log_covers() const;
  bool lies_in_memory(const Place& place) const;
  bool has(uint64_t bit) const { return (features_ & bit) != 0; }

  uint64_t offered_;
  uint64_t features_ = 0;
  std::vector<Place> memory_;  // in the front-end's address space
  uint64_t last_page_ = 0;     // of guest memory
  std::optional<uint64_t> log_size_;
  std::vector<Ring> rings_;
};

}  // namespace testbed::test
